#include "cli/passphrase.h"
#include "cli/verbs.h"

#include "base/str.h"

#include <errno.h>

/* ---- key generate ---- */

static struct err *choose_scheme(enum keys_scheme *ret, const struct args *a)
{
    const char *scheme = args_text(a, "scheme", "p256");
    *ret = str_eq(scheme, "ed25519") ? KEYS_ED25519 : KEYS_P256;
    if (str_eq(scheme, "p256") || str_eq(scheme, "ed25519"))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--scheme: \"%s\" is not known", scheme), "p256 or ed25519");
}

struct err *run_key_generate(struct cli *x, struct doc **ret)
{
    OWN_SECRET_BUF struct buf passphrase = {0};
    enum keys_scheme scheme;
    char id[65];
    const char *name = args_operand(&x->args, 0);
    OWN_FREE char *path = str_fmt("%s.key", name);
    if (!path)
        return err_os(ENOMEM, "key");
    TRY(choose_scheme(&scheme, &x->args));
    TRY(passphrase_new(x, &passphrase, path));
    TRY(keys_generate(id, name, scheme, passphrase.len ? passphrase.at : NULL));
    *ret = doc_new_map();
    doc_set_text(*ret, "private", path);
    doc_set_fmt(*ret, "public", "%s.pub", name);
    doc_set_text(*ret, "id", id);
    doc_set_text(*ret, "scheme", scheme == KEYS_ED25519 ? "ed25519" : "p256");
    doc_set_bool(*ret, "encrypted", passphrase.len);
    return NULL;
}

void show_key_generate(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    (void)fprintf(out, "%s  keep it secret: it signs releases%s\n%s  goes to everybody who installs them\nid %s\n",
                  doc_text(d, "private"), doc_bool(d, "encrypted", false) ? "" : ", and has no passphrase",
                  doc_text(d, "public"), doc_text(d, "id"));
}
