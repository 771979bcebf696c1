#include "bundle/trust.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/canon.h"
#include "crypt/key.h"
#include "doc/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { KEY_FILE_MAX = 64 << 10 };

/* ---- raw signatures ---- */

static const struct head_sig *find_sig(const struct head_sigs *sigs, const char *keyid)
{
    for (size_t i = 0; i < sigs->n; i++)
        if (strcmp(sigs->at[i].keyid, keyid) == 0)
            return &sigs->at[i];
    return NULL;
}

static struct err *load_key(struct key **ret, const char *file)
{
    OWN_BUF struct buf pem = {.max = KEY_FILE_MAX};
    OWN_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "public key %s", file), ERR_USAGE),
                        "name the publisher's public key in `trust`, or with --trust");
    TRY_CTX(fd_read_all(fd, &pem), "public key %s", file);
    struct err *e = key_public_from_pem(ret, buf_text(&pem), pem.len);
    return err_hint(err_wrap(e, "E_KEY_SCHEME: public key %s", file),
                    "it must be a public key in PEM, as `caisson key generate` writes it: NAME.pub");
}

/* What was signed, and by whom it may be: the first trusted key with a signature there decides. */
static struct err *check_sigs(char ret_id[65], const struct head_sigs *sigs, const char *type, const struct buf *body,
                              const char *const keys[], size_t n_keys)
{
    OWN_BUF struct buf pae = {0};
    TRY(format_pae(&pae, type, body->at, body->len));
    for (size_t i = 0; i < n_keys; i++) {
        OWN_KEY struct key *key = NULL;
        TRY(load_key(&key, keys[i]));
        TRY(key_id(ret_id, key));
        const struct head_sig *sig = find_sig(sigs, ret_id);
        if (!sig)
            continue;
        return err_wrap(key_verify(key, sig->bytes, sig->len, pae.at, pae.len), "E_SIG_BAD: signature of key %.16s",
                        ret_id);
    }
    ret_id[0] = '\0';
    return NULL;
}

static struct err *check_release_sig(char ret_id[65], const struct head *h, const char *const keys[], size_t n_keys)
{
    TRY(check_sigs(ret_id, &h->sigs, FORMAT_RELEASE_PAYLOAD, &h->release, keys, n_keys));
    if (ret_id[0])
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_KEY_ROLE: the release is signed by key %.16s, which is not trusted",
                            h->sigs.at[0].keyid),
                    "trust the publisher's public key only after comparing its fingerprint with them");
}

static struct err *check_root_sig(char ret_id[65], const struct head *h, const char *const keys[], size_t n_keys)
{
    TRY(check_sigs(ret_id, &h->root_sigs, FORMAT_ROOT_PAYLOAD, &h->root, keys, n_keys));
    if (ret_id[0])
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_ROOT_PIN: the root document is signed by key %.16s, which is not trusted",
                            h->root_sigs.at[0].keyid),
                    "where the root key is another than the release key, trust names both public keys");
}

/* ---- the root document ---- */

static const struct field key_fields[] = {{.key = "scheme", .kind = DOC_STRING, .required = true},
                                          {.key = "spki", .kind = DOC_STRING, .required = true},
                                          {.key = "*"},
                                          {0}};
static const struct field role_fields[] = {{.key = "keyids", .kind = DOC_LIST, .required = true, .elem = DOC_STRING},
                                           {.key = "threshold", .kind = DOC_INT, .required = true},
                                           {.key = "*"},
                                           {0}};
static const struct field roles_fields[] = {{.key = "root", .kind = DOC_MAP, .required = true, .map = role_fields},
                                            {.key = "release", .kind = DOC_MAP, .required = true, .map = role_fields},
                                            {.key = "*", .kind = DOC_MAP, .map = role_fields},
                                            {0}};
static const struct field all_keys_fields[] = {{.key = "*", .kind = DOC_MAP, .map = key_fields}, {0}};
static const struct field root_fields[] = {{.key = "_type", .kind = DOC_STRING, .required = true},
                                           {.key = "schema", .kind = DOC_INT, .required = true},
                                           {.key = "product", .kind = DOC_STRING, .required = true},
                                           {.key = "version", .kind = DOC_INT, .required = true},
                                           {.key = "epoch", .kind = DOC_INT, .required = true},
                                           {.key = "keys", .kind = DOC_MAP, .required = true, .map = all_keys_fields},
                                           {.key = "roles", .kind = DOC_MAP, .required = true, .map = roles_fields},
                                           {.key = "deny", .kind = DOC_LIST, .required = true, .elem = DOC_STRING},
                                           {.key = "*"},
                                           {0}};

static struct err *check_root_key(const struct doc *v)
{
    OWN_KEY struct key *key = NULL;
    OWN_BUF struct buf pem = {0};
    char id[DIGEST_HEX];
    const char *spki = doc_text(v, "spki"), *scheme = doc_text(v, "scheme");
    TRY_CTX(key_public_from_pem(&key, spki, strlen(spki)), "E_KEY_SCHEME: key %.16s", v->key);
    TRY(key_id(id, key));
    if (strcmp(id, v->key) != 0)
        return err_new(ERR_UNTRUSTED, "E_KEY_ID: key %.16s is listed as %.16s", id, v->key);
    TRY(key_public_pem(&pem, key));
    if (!str_eq(format_scheme(buf_text(&pem)), scheme))
        return err_new(ERR_UNTRUSTED, "E_KEY_SCHEME: key %.16s does not fit the scheme \"%s\"", id, scheme);
    return NULL;
}

static struct err *check_role(const struct doc *root, const struct doc *role)
{
    const struct doc *keyids = doc_get(role, "keyids");
    size_t n = doc_len(keyids);
    int64_t threshold = doc_int(role, "threshold", 0);
    if (n == 0 || threshold < 1 || (uint64_t)threshold > n)
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s: threshold %lld of %zu keys", role->key,
                       (long long)threshold, n);
    if (n > 1)
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s has %zu keys; this caisson reads one", role->key, n);
    if (!doc_get(doc_get(root, "keys"), keyids->child->text))
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s names a key that is not listed", role->key);
    return NULL;
}

static struct err *parse_root(struct doc **ret, const struct buf *bytes)
{
    OWN_DOC struct doc *root = NULL;
    TRY(canon_parse(&root, "root.json", bytes));
    struct err *e = schema_check(root, root_fields);
    if (e)
        return err_as(err_wrap(e, "E_ROOT_SCHEMA"), ERR_UNTRUSTED);
    if (!str_eq(doc_text(root, "_type"), FORMAT_ROOT) || doc_int(root, "schema", 0) != 1 ||
        doc_int(root, "epoch", -1) < 0)
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: not a root document of schema 1");
    if (doc_int(root, "version", 0) != 1)
        return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: version %s in the place of version 1", doc_text(root, "version"));
    DOC_EACH (v, doc_get(root, "keys"))
        TRY(check_root_key(v));
    DOC_EACH (v, doc_get(root, "roles"))
        TRY(check_role(root, v));
    *ret = TAKE(root);
    return NULL;
}

static struct err *check_has_role(const struct doc *root, const char *path, const char *id)
{
    if (doc_list_has(doc_path(root, path), id))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_KEY_ROLE: key %.16s is not in %s of the root document", id, path);
}

static struct err *check_deny(const struct doc *root, const struct buf *release)
{
    char digest[8 + DIGEST_HEX] = "sha256:";
    TRY(digest_hex(digest + 7, release->at, release->len));
    if (!doc_list_has(doc_get(root, "deny"), digest))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_DENIED: the root document forbids this release");
}

static struct err *check_roles(struct trust_result *ret, const struct head *h, const char *root_signer)
{
    OWN_DOC struct doc *root = NULL;
    TRY(parse_root(&root, &h->root));
    TRY(check_has_role(root, "roles.root.keyids", root_signer));
    TRY(check_has_role(root, "roles.release.keyids", ret->signer));
    TRY(check_deny(root, &h->release));
    ret->epoch = doc_int(root, "epoch", 0);
    ret->product = strdup(doc_text(root, "product"));
    return ret->product ? NULL : err_os(ENOMEM, "root document");
}

struct err *trust_check(struct trust_result *ret, const struct head *h, const char *file, const char *const keys[],
                        size_t n_keys)
{
    char root_signer[DIGEST_HEX];
    if (n_keys == 0)
        return err_hint(err_new(ERR_USAGE, "%s: no public key to check it against", file),
                        "name the publisher's public key in `trust`");
    /* Both signatures before either document is looked into. */
    unsigned long long release_at = h->release_at, root_at = h->root_at;
    TRY_CTX(check_release_sig(ret->signer, h, keys, n_keys), "%s: caisson/release.json at byte %llu", file, release_at);
    TRY_CTX(check_root_sig(root_signer, h, keys, n_keys), "%s: root document at byte %llu", file, root_at);
    return err_wrap(check_roles(ret, h, root_signer), "%s: root document at byte %llu", file, root_at);
}
