#include "supply/sbom_read.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"

#include <errno.h>
#include <sys/mman.h>

/* It may be larger than what bundle_read() takes, so it goes through a memory file. */
static struct err *read_blob(struct buf *out, const struct bundle *b, const char *digest)
{
    uint64_t size = 0;
    OWN_FD int fd = memfd_create("bill of materials", MFD_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "memory file");
    (void)bundle_blob(b, digest, &size); /* bundle_open() made sure that it is there */
    if (size > FORMAT_SBOM_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "%s: E_LIMIT: a bill of materials of %llu bytes, at most %d are allowed",
                       bundle_path(b), (unsigned long long)size, FORMAT_SBOM_BYTES_MAX);
    TRY(bundle_copy(b, digest, fd));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_os(errno, "memory file");
    return fd_read_all(fd, out);
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
