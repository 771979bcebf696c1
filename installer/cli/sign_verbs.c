#include "cli/passphrase.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "supply/chain.h"
#include "supply/sign.h"

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
    if (!*name || str_ends(name, "/"))
        return err_hint(err_new(ERR_USAGE, "key generate: \"%s\" names no file", name),
                        "NAME makes NAME.key and NAME.pub");
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

/* ---- root create, rotate, sign, show ---- */

/* Signs with each --key, when there are some. */
static struct err *sign_all(struct cli *x, const char *dir)
{
    const char *files[ARGS_MAX];
    size_t n = args_all(&x->args, "key", files);
    struct keys_ask ask = passphrase_ask(x);
    for (size_t i = 0; i < n; i++) {
        OWN_KEY struct key *key = NULL;
        TRY(keys_load(&key, files[i], &ask));
        TRY_CTX(chain_sign(dir, key), "key %s", files[i]);
    }
    return NULL;
}

struct change {
    struct chain_change to;
    const char *root[ARGS_MAX], *release[ARGS_MAX], *deny[ARGS_MAX];
    char expires[32];
};

static struct err *choose_role(struct chain_role *role, const char *keys[], const struct args *a, const char *name)
{
    char key[32], threshold[32];
    (void)snprintf(key, sizeof key, "%s-key", name);
    (void)snprintf(threshold, sizeof threshold, "%s-threshold", name);
    role->n = args_all(a, key, keys);
    role->keys = keys;
    return args_int(a, threshold, 1, FORMAT_SIGS_MAX, &role->threshold);
}

static struct err *choose_change(struct change *c, const struct args *a)
{
    c->to = (struct chain_change){.product = args_text(a, "product", NULL), .epoch = -1, .deny = c->deny};
    TRY(choose_role(&c->to.root, c->root, a, "root"));
    TRY(choose_role(&c->to.release, c->release, a, "release"));
    c->to.n_deny = args_all(a, "deny", c->deny);
    TRY(args_int(a, "epoch", 0, UINT32_MAX, &c->to.epoch));
    TRY(args_date(a, "expires", c->expires));
    c->to.expires = *c->expires ? c->expires : NULL;
    return NULL;
}

static struct err *make_root(struct cli *x, struct doc **ret,
                             struct err *(*make)(const char *, const struct chain_change *))
{
    const char *dir = args_operand(&x->args, 0);
    struct change c = {0};
    TRY(choose_change(&c, &x->args));
    TRY(make(dir, &c.to));
    TRY(sign_all(x, dir));
    return chain_show(ret, dir);
}

struct err *run_root_create(struct cli *x, struct doc **ret)
{
    return make_root(x, ret, chain_create);
}

struct err *run_root_rotate(struct cli *x, struct doc **ret)
{
    return make_root(x, ret, chain_rotate);
}

struct err *run_root_sign(struct cli *x, struct doc **ret)
{
    if (!args_has(&x->args, "key"))
        return err_hint(err_new(ERR_USAGE, "root sign needs --key FILE, which signs"),
                        "caisson root sign DIR --key FILE");
    TRY(sign_all(x, args_operand(&x->args, 0)));
    return chain_show(ret, args_operand(&x->args, 0));
}

struct err *run_root_show(struct cli *x, struct doc **ret)
{
    return chain_show(ret, args_operand(&x->args, 0));
}

static void show_role(FILE *out, const struct doc *role)
{
    (void)fprintf(out, "  %s: %s of\n", doc_text(role, "name"), doc_text(role, "threshold"));
    DOC_EACH (k, doc_get(role, "keys"))
        (void)fprintf(out, "    %s  %s%s\n", doc_text(k, "id"), doc_text(k, "scheme"),
                      doc_bool(k, "signed", false) ? "  signed" : "");
}

static void show_document(FILE *out, const struct doc *d)
{
    const char *expires = doc_text(d, "expires");
    (void)fprintf(out, "root document %s of %s, epoch %s%s%s\n  %s\n", doc_text(d, "version"), doc_text(d, "product"),
                  doc_text(d, "epoch"), expires ? ", expires " : "", expires ? expires : "", doc_text(d, "digest"));
    DOC_EACH (v, doc_get(d, "roles"))
        show_role(out, v);
    DOC_EACH (v, doc_get(d, "deny"))
        (void)fprintf(out, "  denies %s\n", v->text);
    DOC_EACH (v, doc_get(d, "needs"))
        if (doc_int(v, "have", 0) < doc_int(v, "threshold", 0))
            (void)fprintf(out, "  needs signatures: %s of %s by root keys of document %s\n", doc_text(v, "have"),
                          doc_text(v, "threshold"), doc_text(v, "version"));
}

void show_root(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    DOC_EACH (v, doc_get(d, "documents"))
        show_document(out, v);
    (void)fprintf(out, "%s is %s\n", doc_text(d, "path"),
                  doc_bool(d, "complete", false) ? "complete" : "not complete: caisson root sign adds signatures");
}

/* ---- bundle sign ---- */

struct err *run_bundle_sign(struct cli *x, struct doc **ret)
{
    OWN_KEY struct key *key = NULL;
    OWN_KEYS struct keys trust = {0};
    const char *file = args_text(&x->args, "key", NULL);
    struct keys_ask ask = passphrase_ask(x);
    struct sign_opts o = {.path = args_operand(&x->args, 0), .progress = verify_progress, .self = x};
    if (!file)
        return err_hint(err_new(ERR_USAGE, "bundle sign needs --key FILE, which signs"),
                        "caisson bundle sign FILE --key FILE");
    TRY(keys_given(&trust, &x->args));
    o.trust = trust.at;
    o.n_trust = trust.n;
    TRY(keys_load(&key, file, &ask));
    o.key = key;
    return sign_bundle(ret, &o);
}

void show_bundle_sign(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    size_t n = doc_len(doc_get(d, "signers"));
    (void)fprintf(out, "%s %s\nrelease %s\n%zu of %s signatures%s\n", doc_text(d, "path"),
                  doc_bool(d, "added", false) ? "is signed" : "has that signature already", doc_text(d, "digest"), n,
                  doc_text(d, "threshold"),
                  (int64_t)n < doc_int(d, "threshold", 0) ? ": caisson bundle sign adds more" : "");
}
