/* More than one key and more than one root document: bad-input rows 19, 20, 23 and 25 to 28, and what is allowed. */
#include "forge.h"

#include "base/clock.h"
#include "crypt/digest.h"

static const char root_type[] = "application/vnd.caisson.root.v1+json";

/* Three officers, of both schemes, and a stranger; their public keys are files in `folder`. */
struct people {
    char *folder;
    struct key *key[4];
    char *pub[4];
    char id[4][DIGEST_HEX];
};

enum { A, B, C, STRANGER };

static struct people people_new(void)
{
    struct people p = {.folder = check_folder()};
    for (int i = 0; i < 4; i++) {
        OWN_BUF struct buf pem = {0};
        char name[8] = {(char)('a' + i), '.', 'p', 'u', 'b'};
        OK(i == B ? key_new_ed25519(&p.key[i]) : key_new_ec(&p.key[i]));
        OK(key_public_pem(&pem, p.key[i]));
        OK(key_id(p.id[i], p.key[i]));
        check_write(p.folder, name, pem.at, pem.len);
        p.pub[i] = check_path(p.folder, name);
    }
    return p;
}

static void people_done(struct people *p)
{
    for (int i = 0; i < 4; i++) {
        key_free(p->key[i]);
        free(p->pub[i]);
    }
    check_folder_done(&p->folder);
}

#define OWN_PEOPLE OWN(people_done)

/* Opens against the public keys of A, B, ... as `trust` says in letters. */
static struct err *check(const struct forge *f, const struct people *p, const char *trust)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *files[8];
    size_t n = strlen(trust);
    for (size_t i = 0; i < n; i++)
        files[i] = p->pub[trust[i] - 'A'];
    TRY(bundle_open(&b, f->path, files, n));
    return bundle_verify(b, NULL, NULL);
}

static void put(struct forge *f)
{
    forge_seal(f);
    forge_write(f);
}

/* Roles root and release both ask for 2 of A, B, C; A and B sign everything. */
static struct forge *two_of_three(const struct people *p)
{
    struct forge *f = forge_new();
    const struct key *const all[] = {p->key[A], p->key[B], p->key[C], NULL};
    forge_role(f->root, "root", 2, all);
    forge_role(f->root, "release", 2, all);
    f->root_signer = p->key[A];
    f->sign_key = p->key[A];
    f->more_root_signers.at[0] = p->key[B];
    f->more_signers.at[0] = p->key[B];
    return f;
}

/* ---- t of n ---- */

static void two_of_three_are_enough(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    put(f);
    OK(check(f, &p, "AB"));
    OK(check(f, &p, "CBA"));
    /* signatures of others neither count nor harm */
    OWN_FORGE struct forge *g = two_of_three(&p);
    g->more_signers.at[1] = p.key[STRANGER];
    g->more_root_signers.at[1] = p.key[STRANGER];
    put(g);
    OK(check(g, &p, "AB"));
    OWN_BUNDLE struct bundle *b = NULL;
    const char *const trust[] = {p.pub[A], p.pub[B]};
    OK(bundle_open(&b, g->path, trust, 2));
    assert_int_equal(bundle_signers(b)->n, 2);
    assert_true(strs_has(bundle_signers(b), p.id[A]) && strs_has(bundle_signers(b), p.id[B]));
}

static void one_of_two(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    OWN_BUNDLE struct bundle *b = NULL;
    const char *const trust[] = {p.pub[A], p.pub[B]};
    f->more_signers.at[0] = p.key[STRANGER];
    put(f);
    FAILS(ERR_UNTRUSTED, "caisson/release.json at byte ", check(f, &p, "AB"));
    FAILS(ERR_UNTRUSTED, "E_SIG_THRESHOLD: 1 of the 2 signatures", check(f, &p, "AB"));
    /* who comes to add the second one may read it */
    OK(bundle_open_to_sign(&b, f->path, trust, 2));
    assert_int_equal(bundle_signers(b)->n, 1);
}

/* One signature twice: under the id of another officer it is wrong, under any other it is nobody's. */
static void one_signature_twice(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    static const char nobody[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const char *const as[] = {nobody, p.id[C]};
    for (size_t i = 0; i < ARRAY_LEN(as); i++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        const struct key *const two[] = {p.key[A], p.key[C], NULL};
        forge_role(f->root, "release", 2, two);
        f->more_signers.at[0] = NULL;
        forge_seal(f);
        struct forge_entry *sig = forge_find(f, "caisson/sig/*");
        char name[128];
        (void)snprintf(name, sizeof name, "caisson/sig/%s.sig", as[i]);
        bool behind = strcmp(name, sig->name) > 0;
        size_t at = (size_t)(sig - f->entries) + behind;
        forge_insert(f, at, name, "");
        const struct buf *first = &f->entries[behind ? at - 1 : at + 1].body;
        OK(buf_add(&f->entries[at].body, first->at, first->len));
        forge_write(f);
        FAILS(ERR_UNTRUSTED, i ? "E_SIG_BAD" : "E_SIG_THRESHOLD", check(f, &p, "AB"));
    }
}

/* The bytes of the base64 between a PEM text's first and last line. */
static size_t unpem(unsigned char *ret, const char *pem)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, value = 0;
    size_t n = 0;
    for (const char *s = strchr(pem, '\n'); *s != '-' && *s != '='; s++) {
        if (*s == '\n')
            continue;
        value = value << 6 | (unsigned)(strchr(digits, *s) - digits);
        bits += 6;
        if (bits >= 8)
            ret[n++] = (unsigned char)(value >> (bits -= 8) & 255);
    }
    return n;
}

/* The same P-256 key with its point compressed: other bytes, another id. */
static void short_form(struct buf *pem, char id[DIGEST_HEX], const char *long_pem)
{
    unsigned char der[128];
    assert_int_equal(unpem(der, long_pem), 91);
    der[1] = 0x39;
    der[24] = 0x22;
    der[26] = der[90] & 1 ? 3 : 2;
    OK(digest_hex(id, der, 59));
    OK(buf_str(pem, "-----BEGIN PUBLIC KEY-----\n"));
    OWN_BUF struct buf text = {0};
    OK(buf_base64(&text, der, 59));
    OK(buf_fmt(pem, "%.64s\n%s\n-----END PUBLIC KEY-----\n", text.at, text.at + 64));
}

/* One form of a key only, or it could count twice. */
static void one_key_in_two_forms(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    OWN_BUF struct buf pem = {0};
    OWN_KEY struct key *same = NULL;
    char id[DIGEST_HEX];
    struct doc *keys = doc_get(f->root, "keys");
    short_form(&pem, id, doc_text(doc_get(keys, p.id[A]), "spki"));
    OK(key_public_from_pem(&same, pem.at, pem.len)); /* a good key, as far as that goes */
    struct doc *k = doc_set(keys, id, doc_clone(doc_get(keys, p.id[A])));
    doc_set_text(k, "spki", pem.at);
    doc_add_text(doc_path(f->root, "roles.release.keyids"), id);
    put(f);
    FAILS(ERR_UNTRUSTED, "E_KEY_SCHEME", check(f, &p, "AB"));
    /* nor is text around the key its form */
    OWN_FORGE struct forge *g = two_of_three(&p);
    k = doc_get(doc_get(g->root, "keys"), p.id[A]);
    OWN_FREE char *longer = str_fmt("note\n%s", doc_text(k, "spki"));
    doc_set_text(k, "spki", longer);
    put(g);
    FAILS(ERR_UNTRUSTED, "E_KEY_SCHEME", check(g, &p, "AB"));
}

/* S + L in the place of S: the same to a verifier that does not look. */
static void ed25519_s_plus_l(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                            0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    OWN_FREE char *name = str_fmt("caisson/sig/%s.sig", p.id[B]);
    forge_seal(f);
    unsigned char *s = (unsigned char *)forge_find(f, name)->body.at + 32;
    for (unsigned i = 0, carry = 0; i < 32; i++) {
        carry += s[i] + order[i];
        s[i] = (unsigned char)(carry & 255);
        carry >>= 8;
    }
    forge_write(f);
    FAILS(ERR_UNTRUSTED, "E_SIG_BAD", check(f, &p, "AB"));
}

/* Enough good signatures do not make up for one that is wrong. */
static void one_bad_among_good(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    static const char *const folders[] = {"caisson/sig", "caisson/root/0001"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        char name[128];
        f->more_signers.at[1] = f->more_root_signers.at[1] = p.key[C];
        (void)snprintf(name, sizeof name, "%s/%s.sig", folders[i], p.id[B]);
        forge_seal(f);
        struct buf *sig = &forge_find(f, name)->body;
        sig->at[40] = (char)(sig->at[40] ^ 1);
        forge_write(f);
        FAILS(ERR_UNTRUSTED, "E_SIG_BAD", check(f, &p, "ABC"));
    }
}

/* ---- what the operator trusts ---- */

static void trusted_keys_reach_the_threshold(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    put(f);
    FAILS(ERR_UNTRUSTED, "E_SIG_THRESHOLD: document 1 asks for signatures of 2 root keys; trusted keys made 1",
          check(f, &p, "A"));
    FAILS(ERR_UNTRUSTED, "E_SIG_THRESHOLD", check(f, &p, "AA")); /* one key twice is one key */
    FAILS(ERR_UNTRUSTED, "E_SIG_THRESHOLD", check(f, &p, "AC")); /* C did not sign */
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", check(f, &p, "CD"));
}

static char *write_root(const struct people *p, const char *name, const struct doc *root)
{
    OWN_BUF struct buf text = {0};
    OK(doc_json_write(&text, root));
    check_write(p->folder, name, text.at, text.len);
    return check_path(p->folder, name);
}

static struct err *open_with(const struct forge *f, const char *trust)
{
    OWN_BUNDLE struct bundle *b = NULL;
    return bundle_open(&b, f->path, &trust, 1);
}

/* A root document pins the threshold as well: one key alone cannot begin another chain. */
static void root_document_as_the_pin(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p), *g = two_of_three(&p);
    OWN_FREE char *pin = write_root(&p, "root.json", f->root);
    put(f);
    OK(open_with(f, pin));
    const struct key *const alone[] = {p.key[A], NULL};
    forge_role(g->root, "root", 1, alone);
    forge_role(g->root, "release", 1, alone);
    g->more_signers.at[0] = g->more_root_signers.at[0] = NULL;
    put(g);
    OK(check(g, &p, "A"));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", open_with(g, pin));
    check_write(p.folder, "root.json", "{\"a\":1}", 7);
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", open_with(f, pin));
    check_write(p.folder, "root.json", "", 0);
    FAILS(ERR_UNTRUSTED, "E_KEY_SCHEME", open_with(f, pin));
}

/* ---- the chain ---- */

/* Version 2: A leaves, C and B stay, and one release key is enough. */
static struct doc *rotate(struct forge *f, const struct people *p, struct forge_more signers)
{
    const struct key *const left[] = {p->key[B], p->key[C], NULL};
    struct doc *root = forge_next_root(f, signers);
    forge_role(root, "root", 2, left);
    forge_role(root, "release", 1, left);
    f->sign_key = p->key[C];
    f->more_signers.at[0] = NULL;
    return root;
}

static void rotated(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    OWN_BUNDLE struct bundle *b = NULL;
    struct doc *second = rotate(f, &p, (struct forge_more){{p.key[A], p.key[B], p.key[C]}});
    const char *const trust[] = {p.pub[A], p.pub[B]};
    put(f);
    OK(bundle_open(&b, f->path, trust, 2));
    assert_int_equal(doc_int(bundle_root(b), "version", 0), 2);
    assert_string_equal(bundle_signers(b)->at[0], p.id[C]);
    OWN_DOC struct doc *receipt = bundle_receipt(b);
    assert_int_equal(doc_int(receipt, "rootVersion", 0), 2);
    OK(check(f, &p, "BC")); /* those of version 2 are as good a beginning */
    OWN_FREE char *pin = write_root(&p, "2.json", second);
    OK(open_with(f, pin));
    /* who knows version 2 does not take a chain that ends before it */
    OWN_FORGE struct forge *g = two_of_three(&p);
    put(g);
    OK(check(g, &p, "AB"));
    FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN: it ends with root document 1; document 2 is trusted", open_with(g, pin));
}

static void removed_key(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    (void)rotate(f, &p, (struct forge_more){{p.key[A], p.key[B], p.key[C]}});
    f->sign_key = p.key[A];
    put(f);
    FAILS(ERR_UNTRUSTED, "E_KEY_ROLE", check(f, &p, "AB"));
    FAILS(ERR_UNTRUSTED, "roles.release.keyids of root document 2", check(f, &p, "AB"));
}

static void channel_key(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    const struct key *const channel[] = {p.key[STRANGER], NULL};
    forge_role(f->root, "channel", 1, channel);
    f->sign_key = p.key[STRANGER];
    f->more_signers.at[0] = NULL;
    put(f);
    FAILS(ERR_UNTRUSTED, "E_KEY_ROLE", check(f, &p, "AB"));
}

static void signed_by_one_side_only(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    const struct {
        struct forge_more signers;
        const char *text;
    } cases[] = {{{{p.key[A], p.key[B]}}, "1 of the 2 signatures by root keys of document 2"},
                 {{{p.key[C], p.key[STRANGER]}}, "1 of the 2 signatures by root keys of document 1"},
                 {{{p.key[STRANGER]}}, "0 of the 2 signatures by root keys of document 1"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        (void)rotate(f, &p, cases[i].signers);
        put(f);
        FAILS(ERR_UNTRUSTED, "caisson/root/0002/root.json at byte ", check(f, &p, "AB"));
        FAILS(ERR_UNTRUSTED, cases[i].text, check(f, &p, "AB"));
    }
}

static void broken_chains(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    static const struct {
        const char *key;
        int64_t number;
    } cases[] = {{"version", 1}, {"version", 3}, {"epoch", 4}, {"product", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        doc_set_int(f->root, "epoch", 5);
        struct doc *root = rotate(f, &p, (struct forge_more){{p.key[A], p.key[B], p.key[C]}});
        if (cases[i].number)
            doc_set_int(root, cases[i].key, cases[i].number);
        else
            doc_set_text(root, cases[i].key, "other");
        put(f);
        print_message("root 2: %s\n", cases[i].key);
        FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN", check(f, &p, "AB"));
    }
}

/* Version 3 in the place of version 2, and version 2 twice. */
static void wrong_numbers(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    for (int i = 0; i < 2; i++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        (void)rotate(f, &p, (struct forge_more){{p.key[A], p.key[B], p.key[C]}});
        forge_seal(f);
        struct forge_entry *e = forge_find(f, "caisson/root/0002/root.json");
        if (i)
            forge_insert(f, (size_t)(e - f->entries) + 4, e->name, "{}");
        else
            for (int k = 0; k < 4; k++)
                e[k].name[16] = '3';
        forge_write(f);
        FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN", check(f, &p, "AB"));
    }
}

static void sixty_four_documents(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    OWN_FORGE struct forge *f = two_of_three(&p);
    while (f->n_later < 63)
        (void)forge_next_root(f, (struct forge_more){{p.key[A], p.key[B]}});
    put(f);
    OK(check(f, &p, "AB"));
    (void)forge_find(f, "caisson/root/0064/root.json");
}

/* The last document decides. */
static void denied(void **state)
{
    (void)state;
    OWN_PEOPLE struct people p = people_new();
    for (int last = 0; last < 2; last++) {
        OWN_FORGE struct forge *f = two_of_three(&p);
        char hex[DIGEST_HEX];
        const struct forge_more both = {{p.key[A], p.key[B]}};
        (void)forge_next_root(f, both);
        (void)forge_next_root(f, both);
        forge_seal(f);
        const struct buf *release = &forge_find(f, "caisson/release.json")->body;
        OK(digest_hex(hex, release->at, release->len));
        OWN_FREE char *digest = str_fmt("sha256:%s", hex);
        struct doc *root = f->later[last].doc;
        doc_add_text(doc_get(root, "deny"), digest);
        struct forge_entry *e = forge_find(f, last ? "caisson/root/0003/root.json" : "caisson/root/0002/root.json");
        e[0].body.len = e[1].body.len = e[2].body.len = 0;
        OK(doc_json_write(&e[0].body, root));
        for (int i = 1; i < 3; i++)
            forge_sign(&e[i].body, p.key[strstr(e[i].name, p.id[A]) ? A : B], root_type, e[0].body.at, e[0].body.len);
        forge_write(f);
        if (last)
            FAILS(ERR_UNTRUSTED, "E_DENIED", check(f, &p, "AB"));
        else
            OK(check(f, &p, "AB"));
    }
}

/* ---- dates ---- */

static struct err *dates(const struct forge *f, int64_t now, struct strs *warnings)
{
    OWN_BUNDLE struct bundle *b = NULL;
    const char *trust = f->pub_path;
    TRY(bundle_open(&b, f->path, &trust, 1));
    return bundle_dates(b, now, warnings);
}

static void dates_warn_or_refuse(void **state)
{
    (void)state;
    int64_t issued;
    assert_true(clock_parse("2026-11-21T12:00:00Z", &issued)); /* the forge's */
    const struct {
        bool root;
        const char *expires;
        int64_t now;
        const char *code;
    } cases[] = {{false, "2026-11-22T00:00:00Z", issued + 60, NULL},
                 {false, "2026-11-22T00:00:00Z", issued + 86400, "E_EXPIRED"},
                 {true, "2026-11-22T00:00:00Z", issued + 86400, "E_EXPIRED"},
                 {true, "2026-11-22T00:00:00Z", issued + 60, NULL},
                 {false, NULL, issued - 60, NULL},
                 {false, NULL, issued - 3600, "E_CLOCK"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        OWN_STRS struct strs warnings = {0};
        if (cases[i].expires)
            doc_set_text(cases[i].root ? f->root : f->predicate, "expires", cases[i].expires);
        put(f);
        OK(dates(f, cases[i].now, &warnings));
        assert_int_equal(warnings.n, cases[i].code ? 1 : 0);
        if (!cases[i].code) {
            OK(dates(f, cases[i].now, NULL));
            continue;
        }
        assert_non_null(strstr(warnings.at[0], cases[i].code));
        FAILS(ERR_UNTRUSTED, cases[i].code, dates(f, cases[i].now, NULL));
    }
}

static void no_dates(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2026-11-21",
                                      "2026-11-21T12:00:00",
                                      "2026-11-21T12:00:00+01:00",
                                      "2026-02-30T12:00:00Z",
                                      "2026-11-21T12:00:00Z ",
                                      "2026-11-21t12:00:00z",
                                      "2026-11-21T12:00:60Z"};
    static const char *const keys[] = {"issued", "expires", "expires"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
            OWN_FORGE struct forge *f = forge_new();
            doc_set_text(k == 2 ? f->root : f->predicate, keys[k], bad[i]);
            forge_refused(f, k == 2 ? "E_ROOT_SCHEMA" : "E_SCHEMA", "is not a time");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_of_three_are_enough),
        cmocka_unit_test(one_of_two),
        cmocka_unit_test(one_signature_twice),
        cmocka_unit_test(one_key_in_two_forms),
        cmocka_unit_test(ed25519_s_plus_l),
        cmocka_unit_test(one_bad_among_good),
        cmocka_unit_test(trusted_keys_reach_the_threshold),
        cmocka_unit_test(root_document_as_the_pin),
        cmocka_unit_test(rotated),
        cmocka_unit_test(removed_key),
        cmocka_unit_test(channel_key),
        cmocka_unit_test(signed_by_one_side_only),
        cmocka_unit_test(broken_chains),
        cmocka_unit_test(wrong_numbers),
        cmocka_unit_test(sixty_four_documents),
        cmocka_unit_test(denied),
        cmocka_unit_test(dates_warn_or_refuse),
        cmocka_unit_test(no_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
