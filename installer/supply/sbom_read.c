#include "supply/sbom_read.h"

#include "base/str.h"
#include "bundle/format.h"

struct err *sbom_read(struct doc **ret, const struct bundle *b)
{
    const struct doc *entry = doc_find(doc_path(bundle_release(b), "predicate.sbom"), "format", FORMAT_SBOM);
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *d = NULL;
    if (!entry)
        return err_hint(err_new(ERR_FAILED, "%s has no bill of materials", bundle_path(b)),
                        "build it again with this caisson");
    TRY(bundle_read(&text, b, doc_text(entry, "digest")));
    struct err *e = doc_json(&d, "bill of materials", text.at, text.len);
    if (!e && (!str_eq(doc_text(d, "bomFormat"), "CycloneDX") || !str_eq(doc_text(d, "specVersion"), "1.6")))
        e = err_new(ERR_UNTRUSTED, "bill of materials: not CycloneDX 1.6");
    if (e)
        return err_as(err_wrap(e, "%s: E_SCHEMA", bundle_path(b)), ERR_UNTRUSTED);
    *ret = TAKE(d);
    return NULL;
}
