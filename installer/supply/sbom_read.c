#include "supply/sbom_read.h"

#include "base/str.h"
#include "bundle/format.h"

static struct err *to_buf(void *self, const void *p, size_t n)
{
    return buf_add(self, p, n);
}

/* It may be larger than what bundle_read() takes. */
static struct err *read_blob(struct buf *out, const struct bundle *b, const char *digest)
{
    uint64_t size = 0;
    (void)bundle_blob(b, digest, &size); /* bundle_open() made sure that it is there */
    if (size > FORMAT_SBOM_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "%s: E_LIMIT: a bill of materials of %llu bytes, at most %d are allowed",
                       bundle_path(b), (unsigned long long)size, FORMAT_SBOM_BYTES_MAX);
    return bundle_stream(b, digest, to_buf, out);
}

struct err *sbom_read(struct doc **ret, const struct bundle *b)
{
    const struct doc *entry = doc_find(doc_path(bundle_release(b), "predicate.sbom"), "format", FORMAT_SBOM);
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *d = NULL;
    if (!entry)
        return err_hint(err_new(ERR_FAILED, "%s has no bill of materials", bundle_path(b)),
                        "build it again with this caisson");
    TRY(read_blob(&text, b, doc_text(entry, "digest")));
    struct err *e = doc_json(&d, "bill of materials", text.at, text.len);
    if (!e && (!str_eq(doc_text(d, "bomFormat"), "CycloneDX") || !str_eq(doc_text(d, "specVersion"), "1.6")))
        e = err_new(ERR_UNTRUSTED, "bill of materials: not CycloneDX 1.6");
    if (e)
        return err_as(err_wrap(e, "%s: E_SCHEMA", bundle_path(b)), ERR_UNTRUSTED);
    *ret = TAKE(d);
    return NULL;
}
