/* Who may sign: bad-input rows 16 to 25, as far as one root document with one key for a role goes; chain_test.c has the
 * rest. */
#include "forge.h"

#include "crypt/digest.h"

static const char release_type[] = "application/vnd.in-toto+json";
static const char root_type[] = "application/vnd.caisson.root.v1+json";

static const char p384_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEfwYWeUGMoyIHWI+zKeeb0x1FKiA5z91K\n"
                               "SLQ0206Km58qUpjSDMF8IDJ5og+oDtkjbQAV2PzdsOwr+8B5NL81AX8Ea9Fz9yqs\n"
                               "U8+iF2w3xuxE/Y4YA92ylCbfnvgA4FaD\n"
                               "-----END PUBLIC KEY-----\n";

static void not_signed(void **state)
{
    (void)state;
    static const char *const names[] = {"caisson/sig/*", "caisson/root/0001/*.sig"};
    for (size_t i = 0; i < 2; i++) {
        OWN_FORGE struct forge *f = forge_new();
        forge_seal(f);
        struct forge_entry *e = i ? forge_find(f, "caisson/root/0001/root.json") + 1 : forge_find(f, names[0]);
        char name[128];
        memcpy(name, e->name, sizeof name);
        forge_remove(f, name);
        forge_refused(f, "E_SIG_NONE", i ? "caisson/root/0001/root.json at byte " : "caisson/release.json at byte ");
    }
}

/* ---- signatures that are wrong in themselves ---- */

static void der_int(struct buf *out, const unsigned char *p, size_t n)
{
    static const unsigned char zero;
    while (n > 1 && !*p)
        p++, n--;
    OK(buf_fmt(out, "\x02%c", (int)(n + (*p >> 7))));
    if (*p >> 7)
        OK(buf_add(out, &zero, 1));
    OK(buf_add(out, p, n));
}

static void der_sig(struct buf *out, const unsigned char r[32], const unsigned char s[32])
{
    OWN_BUF struct buf body = {0};
    der_int(&body, r, 32);
    der_int(&body, s, 32);
    out->len = 0;
    OK(buf_fmt(out, "0%c", (int)body.len));
    OK(buf_add(out, body.at, body.len));
}

/* r and s of a strict DER signature. */
static void der_split(unsigned char r[32], unsigned char s[32], const struct buf *sig)
{
    const unsigned char *at = (const unsigned char *)sig->at + 2;
    unsigned char *to[] = {r, s};
    for (int i = 0; i < 2; i++) {
        size_t n = at[1];
        memset(to[i], 0, 32);
        if (n > 32)
            memcpy(to[i], at + 2 + (n - 32), 32);
        else
            memcpy(to[i] + 32 - n, at + 2, n);
        at += 2 + n;
    }
}

/* The order of P-256. */
static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

static void negate(unsigned char s[32])
{
    int borrow = 0;
    for (int i = 31; i >= 0; i--) {
        int v = order[i] - s[i] - borrow;
        borrow = v < 0;
        s[i] = (unsigned char)(v & 0xff);
    }
}

enum change { FLIP, CUT, EMPTY, ZEROS, TEXT, LONG_LENGTH, TRAILING, R_ZERO, S_ZERO, R_ORDER, S_ORDER, CHANGES };

static void change(struct buf *sig, enum change what)
{
    static const unsigned char zero[32];
    unsigned char r[32], s[32];
    der_split(r, s, sig);
    switch (what) {
    case FLIP:
        sig->at[20] = (char)(sig->at[20] ^ 1);
        return;
    case CUT:
        sig->len--;
        return;
    case EMPTY:
        sig->len = 0;
        return;
    case ZEROS:
        memset(sig->at, 0, sig->len);
        return;
    case TEXT:
        sig->len = 0;
        OK(buf_str(sig, "-----BEGIN SIGNATURE-----\n"));
        return;
    case LONG_LENGTH: /* BER: 0x81 and the length */
        OK(buf_add(sig, "", 1));
        memmove(sig->at + 2, sig->at + 1, sig->len - 2);
        sig->at[1] = (char)0x81;
        return;
    case TRAILING:
        OK(buf_add(sig, "", 1));
        return;
    case R_ZERO:
        der_sig(sig, zero, s);
        return;
    case S_ZERO:
        der_sig(sig, r, zero);
        return;
    case R_ORDER:
        der_sig(sig, order, s);
        return;
    case S_ORDER:
        der_sig(sig, r, order);
        return;
    case CHANGES:
        break;
    }
}

static void bad_signatures(void **state)
{
    (void)state;
    for (int root = 0; root < 2; root++)
        for (enum change c = 0; c < CHANGES; c++) {
            OWN_FORGE struct forge *f = forge_new();
            forge_seal(f);
            change(root ? &(forge_find(f, "caisson/root/0001/root.json") + 1)->body
                        : &forge_find(f, "caisson/sig/*")->body,
                   c);
            forge_refused(f, "E_SIG_BAD",
                          root ? "caisson/root/0001/root.json at byte " : "caisson/release.json at byte ");
        }
}

/* (r, n - s) signs whatever (r, s) signs. Both are accepted: signers in hardware do not choose. */
static void high_and_low_s(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    unsigned char r[32], s[32];
    forge_seal(f);
    struct buf *sig = &forge_find(f, "caisson/sig/*")->body;
    for (int i = 0; i < 2; i++) {
        forge_write(f);
        OK(forge_check(f));
        der_split(r, s, sig);
        negate(s);
        der_sig(sig, r, s);
    }
}

static void signed_for_something_else(void **state)
{
    (void)state;
    static const char *const types[] = {"", "application/json", "application/vnd.caisson.root.v1+json",
                                        "application/vnd.in-toto+json "};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        OWN_FORGE struct forge *f = forge_new();
        f->payload_type = types[i];
        forge_refused(f, "E_SIG_BAD", "caisson/release.json at byte ");
    }
    /* the bare bytes, without PAE */
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    const struct buf *release = &forge_find(f, "caisson/release.json")->body;
    struct buf *sig = &forge_find(f, "caisson/sig/*")->body;
    sig->len = 0;
    OK(key_sign(sig, f->key, release->at, release->len));
    forge_refused(f, "E_SIG_BAD", "caisson/release.json at byte ");
}

/* A signature of the release passed off as one of the root document. */
static void swapped_signatures(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    struct forge_entry *release = forge_find(f, "caisson/sig/*"),
                       *root = forge_find(f, "caisson/root/0001/root.json") + 1;
    struct buf keep = release->body;
    release->body = root->body;
    root->body = keep;
    forge_refused(f, "E_SIG_BAD", "caisson/root/0001/root.json at byte ");
}

/* ---- good signatures of the wrong people ---- */

static void unknown_signer(void **state)
{
    (void)state;
    for (int root = 0; root < 2; root++) {
        OWN_FORGE struct forge *f = forge_new();
        OWN_KEY struct key *other = NULL;
        OK(key_new_ec(&other));
        f->sign_key = other;
        f->root_signer = root ? other : NULL;
        forge_refused(f, root ? "E_ROOT_PIN" : "E_KEY_ROLE", root ? "which is not trusted" : "roles.release.keyids");
    }
}

/* The release is the publisher's, the root document somebody else's. */
static void unknown_root(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    OWN_KEY struct key *other = NULL;
    OK(key_new_ec(&other));
    f->root_signer = other;
    forge_refused(f, "E_ROOT_PIN", "caisson/root/0001/root.json at byte ");
}

/* The trusted key's id on a signature that another key made. */
static void borrowed_keyid(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    OWN_KEY struct key *other = NULL;
    OK(key_new_ec(&other));
    forge_seal(f);
    const struct buf *release = &forge_find(f, "caisson/release.json")->body;
    struct buf *sig = &forge_find(f, "caisson/sig/*")->body;
    sig->len = 0;
    forge_sign(sig, other, release_type, release->at, release->len);
    forge_refused(f, "E_SIG_BAD", "caisson/release.json at byte ");
}

static const char *only_key(const struct forge *f)
{
    return doc_get(f->root, "keys")->child->key;
}

static void rename_key(struct forge *f, const char *id)
{
    struct doc *keys = doc_get(f->root, "keys");
    doc_set(keys, id, doc_clone(keys->child));
    doc_remove(keys, keys->child->key);
}

static void other_role(void **state)
{
    (void)state;
    static const char *const roles[] = {"release", "root"};
    for (size_t i = 0; i < 2; i++) {
        OWN_FORGE struct forge *f = forge_new();
        OWN_KEY struct key *other = NULL;
        char id[DIGEST_HEX];
        OK(key_new_ec(&other));
        forge_key(id, f->root, other);
        /* the trusted key keeps only the other role and that of a channel */
        struct doc *roles_doc = doc_get(f->root, "roles");
        doc_set(roles_doc, "channel", doc_clone(doc_get(roles_doc, roles[i])));
        doc_add_text(doc_set(doc_get(roles_doc, roles[i]), "keyids", doc_new_list()), id);
        forge_refused(f, "E_KEY_ROLE", roles[i]);
    }
}

static void denied_release(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    char hex[DIGEST_HEX];
    forge_seal(f);
    const struct buf *release = &forge_find(f, "caisson/release.json")->body;
    OK(digest_hex(hex, release->at, release->len));
    OWN_DOC struct doc *root = doc_clone(f->root);
    char digest[80];
    (void)snprintf(digest, sizeof digest, "sha256:%s", hex);
    doc_add_text(doc_get(root, "deny"), digest);
    struct forge_entry *e = forge_find(f, "caisson/root/0001/root.json");
    e[0].body.len = e[1].body.len = 0;
    OK(doc_json_write(&e[0].body, root));
    forge_sign(&e[1].body, f->key, root_type, e[0].body.at, e[0].body.len);
    forge_refused(f, "E_DENIED", "caisson/release.json at byte ");
}

/* ---- root documents that are well signed and wrong ---- */

static void wrong_key_name(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    rename_key(f, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    forge_refused(f, "E_KEY_ID", "caisson/root/0001/root.json at byte ");
}

static void replace_key(struct forge *f, const char *pem, const char *scheme)
{
    struct doc *k = doc_get(f->root, "keys")->child;
    if (pem)
        doc_set_text(k, "spki", pem);
    doc_set_text(k, "scheme", scheme);
}

static void wrong_schemes(void **state)
{
    (void)state;
    OWN_KEY struct key *rsa = NULL, *ed = NULL;
    OWN_BUF struct buf rsa_pem = {0}, ed_pem = {0};
    char ed_id[DIGEST_HEX], rsa_id[DIGEST_HEX];
    OK(key_new_rsa(&rsa, 2048));
    OK(key_new_ed25519(&ed));
    OK(key_public_pem(&rsa_pem, rsa));
    OK(key_public_pem(&ed_pem, ed));
    OK(key_id(ed_id, ed));
    OK(key_id(rsa_id, rsa));
    const struct {
        const char *pem, *id, *scheme;
    } cases[] = {{rsa_pem.at, rsa_id, "ecdsa-p256-sha256"},
                 {p384_pem, NULL, "ecdsa-p256-sha256"},
                 {ed_pem.at, ed_id, "ecdsa-p256-sha256"},
                 {NULL, NULL, "ed25519"},
                 {NULL, NULL, "rsa"},
                 {NULL, NULL, ""},
                 {"no key", NULL, "ecdsa-p256-sha256"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        replace_key(f, cases[i].pem, cases[i].scheme);
        if (cases[i].id)
            rename_key(f, cases[i].id);
        forge_refused(f, "E_KEY_SCHEME", "caisson/root/0001/root.json at byte ");
    }
}

/* Its names become names of folders, and stand in what people are asked. */
static void names_in_roots(void **state)
{
    (void)state;
    static const char *const names[] = {"../x", "", "a\nb", "A", "a/b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWN_FORGE struct forge *f = forge_new(), *g = forge_new();
        doc_set_text(f->root, "product", names[i]);
        forge_refused(f, "E_ROOT_SCHEMA", "caisson/root/0001/root.json at byte ");
        if (!*names[i])
            continue;
        struct doc *roles = doc_get(g->root, "roles");
        doc_set(roles, names[i], doc_clone(doc_get(roles, "root")));
        forge_refused(g, "E_ROOT_SCHEMA", "caisson/root/0001/root.json at byte ");
    }
}

static void bad_roots(void **state)
{
    (void)state;
    static const struct {
        const char *path, *key;
        int64_t number; /* -1: remove; -2: an empty list */
        const char *code;
    } cases[] = {{"roles.release", "threshold", 0, "E_ROOT_SCHEMA"},
                 {"roles.release", "threshold", 2, "E_ROOT_SCHEMA"},
                 {"roles.root", "threshold", -1, "E_ROOT_SCHEMA"},
                 {"roles.root", "keyids", -2, "E_ROOT_SCHEMA"},
                 {"roles", "release", -1, "E_ROOT_SCHEMA"},
                 {"roles", "root", 7, "E_ROOT_SCHEMA"},
                 {NULL, "schema", 2, "E_ROOT_SCHEMA"},
                 {NULL, "version", 2, "E_ROOT_CHAIN"},
                 {NULL, "_type", 1, "E_ROOT_SCHEMA"},
                 {NULL, "deny", -1, "E_ROOT_SCHEMA"},
                 {NULL, "keys", -1, "E_ROOT_SCHEMA"},
                 {NULL, "epoch", -5, "E_ROOT_SCHEMA"},
                 {NULL, "product", -1, "E_ROOT_SCHEMA"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *d = cases[i].path ? doc_path(f->root, cases[i].path) : f->root;
        if (cases[i].number == -1)
            doc_remove(d, cases[i].key);
        else if (cases[i].number == -2)
            doc_set(d, cases[i].key, doc_new_list());
        else
            doc_set_int(d, cases[i].key, cases[i].number);
        print_message("root: %s = %lld\n", cases[i].key, (long long)cases[i].number);
        forge_refused(f, cases[i].code, "caisson/root/0001/root.json at byte ");
    }
}

static void one_key_named_twice(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    struct doc *role = doc_path(f->root, "roles.release");
    doc_add_text(doc_get(role, "keyids"), only_key(f));
    doc_set_int(role, "threshold", 2);
    forge_refused(f, "E_ROOT_SCHEMA", "twice");
}

static void other_product(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    doc_set_text(f->root, "product", "other");
    forge_refused(f, "E_PRODUCT", "test.csn.tar");
}

static void epoch_above_root(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    doc_set_int(f->predicate, "epoch", 1);
    forge_refused(f, "E_FASTFORWARD", "test.csn.tar");
}

/* A root key of its own: who trusts it need not know the release key. */
static void separate_root_key(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    OWN_KEY struct key *other = NULL;
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_BUF struct buf pem = {0};
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *root_pub = check_path(folder, "root.pub");
    OK(key_new_ec(&other));
    OK(key_public_pem(&pem, other));
    check_write(folder, "root.pub", pem.at, pem.len);
    const struct key *const root_keys[] = {other, NULL};
    forge_role(f->root, "root", 1, root_keys);
    f->root_signer = other;
    forge_refused(f, "E_ROOT_PIN", "caisson/root/0001/root.json at byte ");
    const char *trust = root_pub;
    OK(bundle_open(&b, f->path, &trust, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_signed),          cmocka_unit_test(bad_signatures),
        cmocka_unit_test(high_and_low_s),      cmocka_unit_test(signed_for_something_else),
        cmocka_unit_test(swapped_signatures),  cmocka_unit_test(unknown_signer),
        cmocka_unit_test(unknown_root),        cmocka_unit_test(borrowed_keyid),
        cmocka_unit_test(other_role),          cmocka_unit_test(denied_release),
        cmocka_unit_test(wrong_key_name),      cmocka_unit_test(wrong_schemes),
        cmocka_unit_test(names_in_roots),      cmocka_unit_test(bad_roots),
        cmocka_unit_test(one_key_named_twice), cmocka_unit_test(other_product),
        cmocka_unit_test(epoch_above_root),    cmocka_unit_test(separate_root_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
