#include "ops/identity.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/home.h"
#include "base/str.h"
#include "crypt/key.h"
#include "crypt/vault.h"
#include "crypt/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { HOUR_S = 3600, CA_YEARS = 10, NAMES_MAX = 64 };

static const char *const authority_names[] = {"kubernetes", "etcd", "front-proxy"};

char *vault_keys_folder(void)
{
    return home_config("keys");
}

static struct err *keys_file(char **ret, const char *name)
{
    OWN_FREE char *dir = vault_keys_folder();
    *ret = dir ? str_fmt("%s/%s", dir, name) : NULL;
    return *ret ? NULL : err_os(ENOMEM, "operator's key");
}

struct err *vault_operator_key(bool *ret_made)
{
    OWN_FREE char *dir = vault_keys_folder();
    OWN_FREE char *key = NULL;
    TRY(keys_file(&key, "operator.key"));
    *ret_made = false;
    if (file_exists(AT_FDCWD, key))
        return NULL;
    TRY(file_mkdirs(AT_FDCWD, dir, 0700));
    TRY(vault_key_create(dir, NULL));
    *ret_made = true;
    return NULL;
}

/* ---- a new cluster ---- */

static struct err *new_authority(struct doc *into, const char *name)
{
    OWN_KEY struct key *k = NULL;
    OWN_BUF struct buf cert = {0};
    OWN_SECRET_BUF struct buf pem = {0};
    int64_t now = clock_wall_s();
    TRY(key_new_ec(&k));
    TRY(ca_create(&cert, k, name, now - HOUR_S, now + (int64_t)CA_YEARS * LEAF_LIFE_S));
    TRY(key_private_pem(&pem, k));
    struct doc *a = doc_set(into, name, doc_new_map());
    doc_set_text(a, "certificate", buf_text(&cert));
    doc_set_text(a, "key", buf_text(&pem));
    return NULL;
}

/* 32 random bytes in base64, as Kubernetes wants an encryption key. */
static struct err *new_random(struct doc *into, const char *name)
{
    unsigned char b[32];
    OWN_SECRET_BUF struct buf text = {0};
    TRY(random_bytes(b, sizeof b));
    struct err *e = buf_base64(&text, b, sizeof b);
    explicit_bzero(b, sizeof b);
    TRY(e);
    doc_set_text(into, name, buf_text(&text));
    return NULL;
}

static struct err *new_secrets(struct doc **ret)
{
    OWN_DOC struct doc *s = doc_new_map();
    OWN_KEY struct key *account = NULL;
    OWN_SECRET_BUF struct buf pem = {0};
    doc_set_int(s, "schema", 1);
    struct doc *authorities = doc_set(s, "authorities", doc_new_map());
    for (size_t i = 0; i < ARRAY_LEN(authority_names); i++)
        TRY(new_authority(authorities, authority_names[i]));
    TRY(key_new_rsa(&account, 2048));
    TRY(key_private_pem(&pem, account));
    doc_set_text(s, "serviceAccountKey", buf_text(&pem));
    TRY(new_random(s, "encryptionKey"));
    TRY(new_random(s, "digestKey"));
    *ret = TAKE(s);
    return NULL;
}

static struct err *read_operator(struct buf *ret, const char *name)
{
    OWN_FREE char *path = NULL;
    TRY(keys_file(&path, name));
    return err_hint(file_read(ret, AT_FDCWD, path),
                    "the operator's key pair opens the vault; `caisson init` makes one on the first machine, take it "
                    "from there");
}

struct err *vault_create(const char *path)
{
    OWN_DOC struct doc *secrets = NULL;
    OWN_SECRET_BUF struct buf plain = {0};
    OWN_BUF struct buf recipient = {0};
    OWN_BUF struct buf sealed = {0};
    if (file_exists(AT_FDCWD, path))
        return err_new(ERR_REFUSED, "%s exists: a cluster's secrets are never overwritten", path);
    TRY(read_operator(&recipient, "operator.crt"));
    TRY(new_secrets(&secrets));
    TRY(doc_json_write(&plain, secrets));
    const char *recipients[] = {buf_text(&recipient)};
    TRY(vault_seal(&sealed, plain.at, plain.len, recipients, 1));
    return file_replace(AT_FDCWD, path, sealed.at, sealed.len, 0600);
}

/* ---- an existing one ---- */

static struct err *derive(struct vault *v)
{
    OWN_KEY struct key *account = NULL;
    OWN_BUF struct buf public = {0};
    const char *pem = doc_text(v->secrets, "serviceAccountKey");
    if (!pem || !doc_text(v->secrets, "encryptionKey") || !doc_text(v->secrets, "digestKey"))
        return err_new(ERR_UNTRUSTED, "a secret is missing in it");
    TRY(key_from_pem(&account, pem, strlen(pem), NULL));
    TRY(key_public_pem(&public, account));
    v->service_account_public = buf_take(&public);
    v->authorities = doc_new_map();
    DOC_EACH (a, doc_get(v->secrets, "authorities"))
        doc_set_text(v->authorities, a->key, doc_text(a, "certificate"));
    v->shared = doc_new_map();
    doc_set_text(v->shared, "serviceAccountKey", pem);
    doc_set_text(v->shared, "encryptionKey", doc_text(v->secrets, "encryptionKey"));
    v->identity = (struct identity){.authorities = v->authorities,
                                    .shared = v->shared,
                                    .service_account_public = v->service_account_public,
                                    .digest_key = doc_text(v->secrets, "digestKey")};
    return NULL;
}

struct err *vault_load(struct vault **ret, const char *path)
{
    OWN(vault_freep) struct vault *v = calloc(1, sizeof *v);
    OWN_BUF struct buf sealed = {0};
    OWN_BUF struct buf cert = {0};
    OWN_SECRET_BUF struct buf key = {0};
    OWN_SECRET_BUF struct buf plain = {0};
    if (!v)
        return err_os(ENOMEM, "%s", path);
    TRY(err_hint(err_as(file_read(&sealed, AT_FDCWD, path), ERR_USAGE), "`caisson init` makes the cluster's secrets"));
    TRY(read_operator(&key, "operator.key"));
    TRY(read_operator(&cert, "operator.crt"));
    TRY_CTX(vault_open(&plain, sealed.at, sealed.len, buf_text(&key), buf_text(&cert), NULL), "%s", path);
    TRY(doc_json(&v->secrets, path, plain.at, plain.len));
    TRY_CTX(derive(v), "%s", path);
    *ret = TAKE(v);
    return NULL;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    doc_free(v->secrets);
    doc_free(v->authorities);
    doc_free(v->shared);
    free(v->service_account_public);
    free(v);
}

/* ---- certificates ---- */

const char *vault_authority(const struct vault *v, const char *name)
{
    return doc_text(v->authorities, name);
}

static struct err *authority_key(struct key **ret, const struct vault *v, const char *name)
{
    const char *pem = doc_text(doc_get(doc_get(v->secrets, "authorities"), name), "key");
    if (!pem)
        return err_new(ERR_FAILED, "the cluster has no authority \"%s\"", name);
    return key_from_pem(ret, pem, strlen(pem), NULL);
}

/* The list's texts into `ret`; their number. */
static size_t texts_of(const char *ret[NAMES_MAX], const struct doc *list)
{
    size_t n = 0;
    DOC_EACH (v, list)
        if (n < NAMES_MAX)
            ret[n++] = v->text;
    return n;
}

struct err *vault_issue_leaf(struct buf *cert, const struct vault *v, const struct doc *leaf, const char *csr)
{
    OWN_KEY struct key *k = NULL;
    const char *orgs[NAMES_MAX], *dns[NAMES_MAX], *ips[NAMES_MAX], *ca = doc_text(leaf, "ca");
    int64_t now = clock_wall_s();
    struct cert_spec spec = {.cn = doc_text(leaf, "cn"),
                             .orgs = orgs,
                             .n_orgs = texts_of(orgs, doc_get(leaf, "orgs")),
                             .dns = dns,
                             .n_dns = texts_of(dns, doc_get(leaf, "dns")),
                             .ips = ips,
                             .n_ips = texts_of(ips, doc_get(leaf, "ips")),
                             .server = doc_list_has(doc_get(leaf, "usages"), "server"),
                             .client = doc_list_has(doc_get(leaf, "usages"), "client"),
                             .not_before = now - HOUR_S,
                             .not_after = now + LEAF_LIFE_S};
    TRY(authority_key(&k, v, ca));
    return cert_issue(cert, &spec, csr, vault_authority(v, ca), k);
}

struct err *vault_issue_client(struct buf *cert, struct buf *key, const struct vault *v, const char *ca, const char *cn,
                               const char *org, int64_t seconds)
{
    OWN_KEY struct key *authority = NULL;
    OWN_KEY struct key *own = NULL;
    int64_t now = clock_wall_s();
    const char *orgs[] = {org};
    struct cert_spec spec = {.cn = cn,
                             .orgs = orgs,
                             .n_orgs = org ? 1 : 0,
                             .client = true,
                             .not_before = now - HOUR_S,
                             .not_after = now + seconds};
    TRY(authority_key(&authority, v, ca));
    TRY(key_new_ec(&own));
    TRY(cert_issue_for_key(cert, &spec, own, vault_authority(v, ca), authority));
    return key_private_pem(key, own);
}
