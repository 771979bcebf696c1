/*
 * Other people's signatures through the function that decides about ours: Project Wycheproof's vectors
 * (ci/tools/wycheproof; without them exit 77), and the example of DSSE's specification.
 */
#include "base/child.h"
#include "bundle/format.h"
#include "check.h"
#include "crypt/key.h"
#include "doc/doc.h"

static char folder[4096]; /* where the vectors are */

static size_t from_hex(unsigned char *ret, size_t max, const char *hex)
{
    size_t n = strlen(hex) / 2;
    assert_true(strlen(hex) % 2 == 0 && n <= max);
    for (size_t i = 0; i < n; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return n;
}

/* What was said about the vectors of one file. */
struct tally {
    size_t valid, invalid, not_der, out_of_range, wrong_length, no_match;
};

static void count_refusal(struct tally *t, const char *text)
{
    t->invalid++;
    t->not_der += strstr(text, "not strict DER") != NULL;
    t->out_of_range += strstr(text, "out of range") != NULL;
    t->wrong_length += strstr(text, "signature of ") != NULL;
    t->no_match += strstr(text, "does not match") != NULL;
}

static void check_vector(struct tally *t, const struct key *key, const struct doc *v)
{
    unsigned char msg[1 << 12], sig[1 << 13];
    size_t n_msg = from_hex(msg, sizeof msg, doc_text(v, "msg")), n_sig = from_hex(sig, sizeof sig, doc_text(v, "sig"));
    const char *want = doc_text(v, "result");
    struct err *e = key_verify(key, sig, n_sig, msg, n_msg);
    bool as_wanted = e ? err_kind(e) == ERR_UNTRUSTED && str_eq(want, "invalid") : str_eq(want, "valid");
    if (!as_wanted)
        print_error("vector %s (%s) is %s; here: %s\n", doc_text(v, "tcId"), doc_text(v, "comment"), want,
                    e ? err_text(e) : "good");
    if (e)
        count_refusal(t, err_text(e));
    else
        t->valid++;
    err_free(e);
    assert_true(as_wanted);
}

static struct tally check_file(const char *name)
{
    struct tally t = {0};
    OWN_FREE char *path = check_path(folder, name);
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *file = NULL;
    OK(file_read(&text, AT_FDCWD, path));
    OK(doc_json(&file, name, text.at, text.len));
    DOC_EACH (group, doc_get(file, "testGroups")) {
        OWN_KEY struct key *key = NULL;
        const char *pem = doc_text(group, "publicKeyPem");
        OK(key_public_from_pem(&key, pem, strlen(pem)));
        DOC_EACH (v, doc_get(group, "tests"))
            check_vector(&t, key, v);
    }
    assert_int_equal(t.valid + t.invalid, doc_int(file, "numberOfTests", 0));
    assert_int_equal(t.invalid, t.not_der + t.out_of_range + t.wrong_length + t.no_match);
    print_message(
        "%s: %zu good; refused: %zu no strict DER, %zu out of range, %zu of another length, %zu do not match\n", name,
        t.valid, t.not_der, t.out_of_range, t.wrong_length, t.no_match);
    return t;
}

/* No vector is "acceptable" here: our rules (strict DER, 0 < r, s < n, high s too) are Wycheproof's. */
static void ecdsa_p256(void **state)
{
    (void)state;
    struct tally t = check_file("ecdsa_secp256r1_sha256_test.json");
    assert_int_equal(t.valid, 174);
    assert_int_equal(t.invalid, 310);
}

static void ed25519(void **state)
{
    (void)state;
    struct tally t = check_file("ed25519_test.json");
    assert_int_equal(t.valid, 88);
    assert_int_equal(t.invalid, 63);
}

/* The example of DSSE's protocol.md: its key (X, Y) in PEM, its signature (r, s) in DER. */
static void dsse_hello_world(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n"
                              "CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n"
                              "-----END PUBLIC KEY-----\n";
    static const char type[] = "http://example.com/HelloWorld";
    unsigned char sig[KEY_SIG_MAX];
    size_t n = from_hex(sig, sizeof sig,
                        "3044022003726ab101ad56c2763b6c6aac8e487275e2a79193a09dc5f859d9f8ef3c4a"
                        "3b022051eab0c06a369b64a7222537d4887a893dc200ae21060074d57825235b624864");
    OWN_KEY struct key *key = NULL;
    OWN_BUF struct buf pae = {0};
    OK(key_public_from_pem(&key, pem, strlen(pem)));
    OK(format_pae(&pae, type, "hello world", 11));
    assert_string_equal(pae.at, "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    OK(key_verify(key, sig, n, pae.at, pae.len));
    FAILS(ERR_UNTRUSTED, "does not match", key_verify(key, sig, n, "hello world", 11));
}

/* True when the vectors can be had; their folder into `folder`. */
static bool have_vectors(void)
{
    OWN_BUF struct buf out = {0};
    const char *const argv[] = {SOURCE_DIR "/ci/gotools", "wycheproof", NULL};
    struct err *e = child_run(argv, &(struct child_opts){.output = &out}, NULL);
    if (e)
        print_message("skip: Wycheproof's vectors cannot be had here: %s\n", err_text(e));
    else
        (void)snprintf(folder, sizeof folder, "%.*s", (int)strcspn(out.at, "\n"), out.at);
    bool had = !e;
    err_free(e);
    return had;
}

int main(void)
{
    const struct CMUnitTest own[] = {cmocka_unit_test(dsse_hello_world)};
    const struct CMUnitTest vectors[] = {cmocka_unit_test(ecdsa_p256), cmocka_unit_test(ed25519)};
    int failed = cmocka_run_group_tests(own, NULL, NULL);
    if (!have_vectors())
        return failed ? failed : 77;
    return failed + cmocka_run_group_tests(vectors, NULL, NULL);
}
