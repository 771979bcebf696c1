#include "bundle/root.h"

#include "base/clock.h"
#include "bundle/canon.h"
#include "crypt/digest.h"
#include "crypt/key.h"
#include "doc/schema.h"

#include <string.h>

/* ---- the form ---- */

static struct err *check_time(const struct doc *v)
{
    int64_t t;
    return clock_parse(v->text, &t) ? NULL : err_new(ERR_UNTRUSTED, "%s \"%s\" is not a time", v->key, v->text);
}

/* It names folders, and stands in questions to people. */
static struct err *check_plain(const struct doc *v)
{
    return format_name(v->text);
}

static struct err *check_epoch(const struct doc *v)
{
    return v->num >= 0 && v->num <= UINT32_MAX ? NULL : err_new(ERR_UNTRUSTED, "%s is not within 32 bits", v->key);
}

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
static const struct field root_fields[] = {
    {.key = "_type", .kind = DOC_STRING, .required = true},
    {.key = "schema", .kind = DOC_INT, .required = true},
    {.key = "product", .kind = DOC_STRING, .required = true, .check = check_plain},
    {.key = "version", .kind = DOC_INT, .required = true},
    {.key = "created", .kind = DOC_STRING, .check = check_time},
    {.key = "expires", .kind = DOC_STRING, .check = check_time},
    {.key = "epoch", .kind = DOC_INT, .required = true, .check = check_epoch},
    {.key = "keys", .kind = DOC_MAP, .required = true, .map = all_keys_fields},
    {.key = "roles", .kind = DOC_MAP, .required = true, .map = roles_fields},
    {.key = "deny", .kind = DOC_LIST, .required = true, .elem = DOC_STRING},
    {.key = "*"},
    {0}};

/* One key has one form and one id, so that it cannot stand there twice. */
static struct err *check_key(const struct doc *v)
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
    if (strcmp(buf_text(&pem), spki) != 0 || !str_eq(format_scheme(spki), scheme))
        return err_new(ERR_UNTRUSTED, "E_KEY_SCHEME: key %.16s does not fit the scheme \"%s\"", id, scheme);
    return NULL;
}

static struct err *check_role(const struct doc *root, const struct doc *role)
{
    const struct doc *keyids = doc_get(role, "keyids");
    size_t n = doc_len(keyids);
    int64_t threshold = doc_int(role, "threshold", 0);
    TRY_CTX(format_name(role->key), "E_ROOT_SCHEMA: role");
    if (threshold < 1 || (uint64_t)threshold > n)
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s: threshold %lld of %zu keys", role->key,
                       (long long)threshold, n);
    DOC_EACH (v, keyids) {
        if (!doc_get(doc_get(root, "keys"), v->text))
            return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s names a key that is not listed", role->key);
        for (const struct doc *w = v->next; w; w = w->next)
            if (str_eq(v->text, w->text))
                return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: role %s names key %.16s twice", role->key, v->text);
    }
    return NULL;
}

static struct err *check_deny(const struct doc *root)
{
    DOC_EACH (v, doc_get(root, "deny"))
        if (!format_hex(v->text))
            return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: deny: \"%s\" is not \"sha256:\" and 64 hex digits", v->text);
    return NULL;
}

struct err *root_parse(struct doc **ret, unsigned version, const struct buf *bytes)
{
    OWN_DOC struct doc *root = NULL;
    TRY(canon_parse(&root, "root.json", bytes));
    struct err *e = schema_check(root, root_fields);
    if (e)
        return err_as(err_wrap(e, "E_ROOT_SCHEMA"), ERR_UNTRUSTED);
    if (!str_eq(doc_text(root, "_type"), FORMAT_ROOT) || doc_int(root, "schema", 0) != 1)
        return err_new(ERR_UNTRUSTED, "E_ROOT_SCHEMA: not a root document of schema 1");
    if (version == ROOT_ANY_VERSION ? doc_int(root, "version", 0) < 1 : doc_int(root, "version", 0) != version)
        return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: version %s in the place of version %u", doc_text(root, "version"),
                       version);
    DOC_EACH (v, doc_get(root, "keys"))
        TRY(check_key(v));
    DOC_EACH (v, doc_get(root, "roles"))
        TRY(check_role(root, v));
    TRY(check_deny(root));
    *ret = TAKE(root);
    return NULL;
}

/* ---- roles ---- */

static const struct doc *role_of(const struct doc *root, const char *role)
{
    return doc_get(doc_get(root, "roles"), role);
}

size_t root_threshold(const struct doc *root, const char *role)
{
    return (size_t)doc_int(role_of(root, role), "threshold", 0);
}

bool root_has(const struct doc *root, const char *role, const char *keyid)
{
    return doc_list_has(doc_get(role_of(root, role), "keyids"), keyid);
}

struct err *root_denies(bool *ret, const struct doc *root, const struct buf *release)
{
    char digest[8 + DIGEST_HEX] = "sha256:";
    TRY(digest_hex(digest + 7, release->at, release->len));
    *ret = doc_list_has(doc_get(root, "deny"), digest);
    return NULL;
}

struct err *root_signers(struct strs *ret, const struct doc *root, const char *role, const struct sigs *sigs,
                         const char *type, const struct buf *body)
{
    OWN_BUF struct buf pae = {0};
    TRY(format_pae(&pae, type, body->at, body->len));
    DOC_EACH (v, doc_get(role_of(root, role), "keyids")) {
        const struct sig *sig = sigs_find(sigs, v->text);
        const char *spki = doc_text(doc_get(doc_get(root, "keys"), v->text), "spki");
        OWN_KEY struct key *key = NULL;
        if (!sig)
            continue;
        TRY(key_public_from_pem(&key, spki, strlen(spki)));
        TRY_CTX(key_verify(key, sig->bytes, sig->len, pae.at, pae.len), "E_SIG_BAD: signature of key %.16s", v->text);
        TRY(strs_add(ret, v->text));
    }
    return NULL;
}

/* ---- the chain ---- */

/* Enough root keys of `root` signed the document. */
static struct err *check_reached(const struct doc *root, const struct root_raw *raw)
{
    OWN_STRS struct strs who = {0};
    TRY(root_signers(&who, root, "root", &raw->sigs, FORMAT_ROOT_PAYLOAD, &raw->bytes));
    if (who.n >= root_threshold(root, "root"))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: %zu of the %zu signatures by root keys of document %s", who.n,
                   root_threshold(root, "root"), doc_text(root, "version"));
}

struct err *root_continues(const struct doc *root, const struct doc *before)
{
    if (!str_eq(doc_text(root, "product"), doc_text(before, "product")))
        return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: product %s, the document before has %s", doc_text(root, "product"),
                       doc_text(before, "product"));
    if (doc_int(root, "epoch", 0) < doc_int(before, "epoch", 0))
        return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: epoch %s is lower than that of the document before",
                       doc_text(root, "epoch"));
    return NULL;
}

struct err *root_follow(struct doc **ret, const struct doc *before, const struct root_raw *raw)
{
    OWN_DOC struct doc *root = NULL;
    TRY(check_reached(before, raw));
    TRY(root_parse(&root, (unsigned)doc_int(before, "version", 0) + 1, &raw->bytes));
    TRY(check_reached(root, raw));
    TRY(root_continues(root, before));
    *ret = TAKE(root);
    return NULL;
}
