#include "ops/ops.h"

#include "base/str.h"
#include "crypt/digest.h"
#include "ops/pins.h"

#include <errno.h>
#include <string.h>

/* What follows from the document that was compared is as good as that. */
static struct err *find_fingerprint(const struct chain *c, const char *file, const char *fingerprint)
{
    char hex[DIGEST_HEX];
    for (size_t i = 0; i < c->n; i++) {
        TRY(digest_hex(hex, c->raw[i].bytes.at, c->raw[i].bytes.len));
        if (strcmp(hex, fingerprint + strlen("sha256:")) == 0)
            return NULL;
    }
    TRY(digest_hex(hex, c->raw[c->n - 1].bytes.at, c->raw[c->n - 1].bytes.len));
    return err_hint(
        err_new(ERR_UNTRUSTED, "E_ROOT_PIN: %s: its root document is sha256:%s, not %s", file, hex, fingerprint),
        "it is not from this publisher, or the fingerprint is not of a root document");
}

static struct err *describe(struct doc **ret, const struct chain *c)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *document = doc_set(d, "document", doc_new_map());
    OWN_FREE char *folder = pins_folder(doc_text(chain_last(c), "product"));
    if (!folder)
        return err_os(ENOMEM, "trust store");
    TRY(chain_describe(document, c, c->n - 1));
    doc_set_text(d, "product", doc_text(document, "product"));
    doc_set_int(d, "version", doc_int(document, "version", 0));
    doc_set_text(d, "fingerprint", doc_text(document, "digest"));
    doc_set_text(d, "path", folder);
    *ret = TAKE(d);
    return NULL;
}

struct err *ops_trust_bundle(struct doc **ret, const char *file, const char *fingerprint, ops_confirm_root confirm,
                             void *self)
{
    static const char *const words[] = {[PINS_NEW] = "new", [PINS_SAME] = "same", [PINS_NEXT] = "next"};
    OWN_CHAIN struct chain c = {0};
    OWN_DOC struct doc *d = NULL;
    enum pins_result is = PINS_NEW;
    TRY(chain_of_file(&c, file));
    if (fingerprint)
        TRY(find_fingerprint(&c, file, fingerprint));
    TRY_CTX(pins_look(&is, &c), "%s", file);
    TRY(describe(&d, &c));
    bool yes = is != PINS_NEW || fingerprint || confirm(self, doc_get(d, "document"));
    if (yes && is != PINS_SAME)
        TRY(pins_put(&c, is == PINS_NEW || fingerprint));
    doc_set_text(d, "result", yes ? words[is] : "declined");
    *ret = TAKE(d);
    return NULL;
}
