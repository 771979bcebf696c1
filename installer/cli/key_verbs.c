#include "cli/passphrase.h"
#include "cli/verbs.h"

struct err *run_key_show(struct cli *x, struct doc **ret)
{
    OWN_KEY struct key *key = NULL;
    char id[DIGEST_HEX];
    const char *path = args_operand(&x->args, 0), *out = args_text(&x->args, "out", NULL);
    struct keys_ask ask = passphrase_ask(x);
    TRY(keys_load_any(&key, path, &ask));
    TRY(key_id(id, key));
    if (out)
        TRY(keys_write_public(out, key));
    *ret = doc_new_map();
    doc_set_text(*ret, "key", path);
    doc_set_text(*ret, "id", id);
    doc_set_text(*ret, "scheme", keys_scheme_name(key));
    doc_set_bool(*ret, "private", key_has_private(key));
    if (out)
        doc_set_text(*ret, "public", out);
    return NULL;
}

void show_key_show(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    const char *public = doc_text(d, "public");
    (void)fprintf(out, "id %s\nscheme %s, %s\n", doc_text(d, "id"), doc_text(d, "scheme"),
                  doc_bool(d, "private", false) ? "a private key" : "a public key");
    if (public)
        (void)fprintf(out, "%s  goes to everybody who installs what it signs\n", public);
}
