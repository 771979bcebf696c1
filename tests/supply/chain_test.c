/* Root documents from the first officer to a signed bundle; two officers in two places. */
#include "workshop.h"

#include "base/child.h"
#include "bundle/bundle.h"
#include "pack/ustar.h"
#include "supply/chain.h"
#include "supply/sign.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A workshop with officers a, b (Ed25519) and c, whose keys are files, and a folder of root documents. */
struct office {
    struct workshop w;
    char *dir, *pub[3], *key_path[3];
    struct key *key[3];
    char id[3][65];
};

enum { A, B, C };

static struct office office_new(void)
{
    struct office o = {.w = workshop_new()};
    o.dir = check_path(o.w.folder, "root");
    for (int i = 0; i < 3; i++) {
        char name[16] = {(char)('a' + i)};
        OWN_FREE char *path = check_path(o.w.folder, name);
        OK(keys_generate(o.id[i], path, i == B ? KEYS_ED25519 : KEYS_P256, NULL));
        o.pub[i] = str_fmt("%s.pub", path);
        o.key_path[i] = str_fmt("%s.key", path);
        OK(keys_load(&o.key[i], o.key_path[i], NULL));
    }
    return o;
}

static void office_done(struct office *o)
{
    for (int i = 0; i < 3; i++) {
        free(o->pub[i]);
        free(o->key_path[i]);
        key_free(o->key[i]);
    }
    free(o->dir);
    workshop_done(&o->w);
}

#define OWN_OFFICE OWN(office_done)

/* 2 of a, b, c in both roles. */
static struct chain_change two_of_three(const struct office *o)
{
    const char *const *pub = (const char *const *)o->pub;
    return (struct chain_change){.epoch = 3, .root = {pub, 3, 2}, .release = {pub, 3, 2}};
}

static void create_signed(const struct office *o)
{
    const struct chain_change first = two_of_three(o);
    OK(chain_create(o->dir, &first));
    OK(chain_sign(o->dir, o->key[A]));
    OK(chain_sign(o->dir, o->key[B]));
}

static struct err *open_all(struct bundle **ret, const struct office *o, const char *pin)
{
    OWN_FREE char *trust = str_fmt("%s/%s/root.json", o->dir, pin);
    const char *file = trust;
    TRY(bundle_open(ret, o->w.out, &file, 1));
    return bundle_verify(*ret, NULL, NULL);
}

static struct err *build(const struct office *o, int signer, struct build_result *ret)
{
    struct build_opts opts = o->w.opts;
    opts.root = o->dir;
    opts.key = o->key_path[signer];
    return bundle_build(ret, &opts, NULL, NULL);
}

static void officers_sign_in_turn(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    OWN_DOC struct doc *half = NULL, *whole = NULL;
    struct build_result result;
    const struct chain_change first = two_of_three(&o);
    OK(chain_create(o.dir, &first));
    FAILS(ERR_REFUSED, "0001 exists", chain_create(o.dir, &first));
    OK(chain_sign(o.dir, o.key[A]));
    OK(chain_sign(o.dir, o.key[A])); /* twice is once */
    OK(chain_show(&half, o.dir));
    assert_false(doc_bool(half, "complete", true));
    const struct doc *need = doc_get(doc_get(half, "documents")->child, "needs")->child;
    assert_int_equal(doc_int(need, "have", -1), 1);
    assert_int_equal(doc_int(need, "threshold", -1), 2);
    FAILS(ERR_REFUSED, "1 of the 2 signatures", build(&o, A, &result));
    FAILS(ERR_REFUSED, "1 of the 2 signatures", chain_rotate(o.dir, &first));
    OK(chain_sign(o.dir, o.key[B]));
    OK(chain_show(&whole, o.dir));
    assert_true(doc_bool(whole, "complete", false));
    assert_int_equal(doc_len(doc_get(doc_get(whole, "documents")->child, "signers")), 2);
}

static void two_sign_a_bundle(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *said = NULL, *again = NULL;
    struct build_result result;
    create_signed(&o);
    OK(build(&o, A, &result));
    assert_int_equal(result.signatures, 1);
    assert_int_equal(result.threshold, 2);
    FAILS(ERR_UNTRUSTED, "E_SIG_THRESHOLD", open_all(&b, &o, "0001"));
    OWN_FREE char *pin = str_fmt("%s/0001/root.json", o.dir);
    const char *trust = pin;
    struct sign_opts s = {.path = o.w.out, .key = o.key[B], .trust = &trust, .n_trust = 1};
    assert_int_equal(chmod(o.w.out, 0640), 0);
    OK(sign_bundle(&said, &s));
    assert_true(doc_bool(said, "added", false));
    OK(open_all(&b, &o, "0001"));
    assert_string_equal(bundle_digest(b), result.digest);
    assert_int_equal(bundle_signers(b)->n, 2);
    assert_int_equal(doc_int(bundle_release(b), "predicate.epoch", 0), 3);
    struct stat st;
    assert_int_equal(stat(o.w.out, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    OK(sign_bundle(&again, &s));
    assert_false(doc_bool(again, "added", true));
    assert_int_equal(doc_len(doc_get(again, "signers")), 2);
}

/* Takes one member out of a file. */
static void drop(struct buf *file, const char *name)
{
    char *at = memmem(file->at, file->len, name, strlen(name) + 1);
    assert_non_null(at);
    size_t n = (size_t)ustar_span(strtoul(at + 124, NULL, 8));
    memmove(at, at + n, file->len - n - (size_t)(at - file->at));
    file->len -= n;
}

/* Everything but the two new members is as it was, byte for byte, wherever they sort. */
static void nothing_else_changes(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    create_signed(&o);
    OWN_FREE char *pin = str_fmt("%s/0001/root.json", o.dir);
    const char *trust = pin;
    for (int first = A; first <= C; first++)
        for (int second = A; second <= C; second++) {
            struct build_result result;
            OWN_DOC struct doc *said = NULL;
            OWN_BUF struct buf before = {0}, after = {0};
            struct sign_opts s = {.path = o.w.out, .key = o.key[second], .trust = &trust, .n_trust = 1};
            if (first == second)
                continue;
            OK(build(&o, first, &result));
            OK(file_read(&before, AT_FDCWD, o.w.out));
            OK(sign_bundle(&said, &s));
            OK(file_read(&after, AT_FDCWD, o.w.out));
            OWN_FREE char *name = str_fmt("caisson/sig/%s.sig", o.id[second]);
            drop(&after, name);
            drop(&after, "caisson/release.1.sigstore.json");
            assert_int_equal(before.len, after.len);
            assert_memory_equal(before.at, after.at, before.len);
        }
}

/* Killed at any point, the file is the old one or the new one. */
static void killed_while_signing(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    struct build_result result;
    int signed_ones = 0;
    create_signed(&o);
    OWN_FREE char *pin = str_fmt("%s/0001/root.json", o.dir);
    const char *trust = pin;
    for (int i = 0; i < 40; i++) {
        OWN_BUNDLE struct bundle *b = NULL;
        OK(build(&o, A, &result));
        pid_t pid = fork();
        if (pid == 0) {
            struct doc *said = NULL;
            struct sign_opts s = {.path = o.w.out, .key = o.key[B], .trust = &trust, .n_trust = 1};
            _exit(sign_bundle(&said, &s) ? 1 : 0);
        }
        (void)usleep((useconds_t)(i * i * 200)); /* up to 0.3 s: it takes some 0.1 s */
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        OK(bundle_open_to_sign(&b, o.w.out, &trust, 1));
        OK(bundle_verify(b, NULL, NULL));
        signed_ones += bundle_signers(b)->n == 2;
    }
    print_message("%d of 40 came through\n", signed_ones);
}

static void wrong_signers(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    OWN_KEY struct key *stranger = NULL;
    OWN_DOC struct doc *said = NULL;
    struct build_result result;
    struct build_opts opts = o.w.opts;
    OK(key_new_ec(&stranger));
    create_signed(&o);
    FAILS(ERR_REFUSED, "E_KEY_ROLE", chain_sign(o.dir, stranger));
    opts.root = o.dir; /* and signed with release.key, which nobody named */
    FAILS(ERR_REFUSED, "E_KEY_ROLE", bundle_build(&result, &opts, NULL, NULL));
    OK(build(&o, A, &result));
    OWN_FREE char *pin = str_fmt("%s/0001/root.json", o.dir);
    const char *trust = pin;
    struct sign_opts s = {.path = o.w.out, .key = stranger, .trust = &trust, .n_trust = 1};
    OWN_BUF struct buf before = {0}, after = {0};
    OK(file_read(&before, AT_FDCWD, o.w.out));
    FAILS(ERR_REFUSED, "E_KEY_ROLE", sign_bundle(&said, &s));
    s.n_trust = 0; /* by itself it is trusted for nothing */
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN", sign_bundle(&said, &s));
    /* and nothing is signed that is damaged */
    s = (struct sign_opts){.path = o.w.out, .key = o.key[B], .trust = &trust, .n_trust = 1};
    OWN_FD int fd = open(o.w.out, O_RDWR | O_CLOEXEC);
    before.at[before.len - 3000] ^= 1;
    assert_int_equal(pwrite(fd, before.at, before.len, 0), (ssize_t)before.len);
    FAILS(ERR_UNTRUSTED, "E_", sign_bundle(&said, &s));
    OK(file_read(&after, AT_FDCWD, o.w.out));
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.at, after.at, before.len);
    OWN_BUF struct buf left = {0};
    const char *const argv[] = {"/bin/sh", "-c", "ls \"$0\" | grep -c new$", o.w.folder, NULL};
    FAILS(ERR_FAILED, "", child_run(argv, &(struct child_opts){.output = &left}, NULL));
    assert_string_equal(left.at, "0\n");
}

/* a goes, one release key is enough, and a release is withdrawn; old sites follow from the first document. */
static void rotated(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *shown = NULL;
    struct build_result result;
    static const char denied[] = "sha256:0011223344556677889900112233445566778899001122334455667788990011";
    const char *const left[] = {o.pub[B], o.pub[C]}, *deny = denied;
    create_signed(&o);
    struct chain_change second = {.epoch = 4,
                                  .expires = "2099-01-01T00:00:00Z",
                                  .root = {left, 2, 2},
                                  .release = {left, 2, 1},
                                  .deny = &deny,
                                  .n_deny = 1};
    OK(chain_rotate(o.dir, &second));
    OK(chain_sign(o.dir, o.key[B]));
    OK(chain_sign(o.dir, o.key[C])); /* both new, and two of the old */
    OK(build(&o, C, &result));
    assert_int_equal(result.threshold, 1);
    OK(open_all(&b, &o, "0001"));
    assert_int_equal(doc_int(bundle_root(b), "version", 0), 2);
    assert_int_equal(doc_len(doc_get(bundle_root(b), "keys")), 2);
    assert_true(doc_list_has(doc_get(bundle_root(b), "deny"), denied));
    FAILS(ERR_REFUSED, "E_KEY_ROLE", build(&o, A, &result));
    OK(chain_show(&shown, o.dir));
    assert_int_equal(doc_len(doc_get(shown, "documents")), 2);
    /* the next keeps what is not given, but for the date; the epoch cannot fall */
    struct chain_change third = {.epoch = 2};
    FAILS(ERR_USAGE, "E_ROOT_CHAIN", chain_rotate(o.dir, &third));
    third.epoch = -1;
    OK(chain_rotate(o.dir, &third));
    OWN_CHAIN struct chain c = {0};
    OK(chain_load(&c, o.dir));
    assert_int_equal(doc_int(chain_last(&c), "epoch", 0), 4);
    assert_null(doc_get(chain_last(&c), "expires"));
    assert_true(doc_list_has(doc_get(chain_last(&c), "deny"), denied));
    assert_int_equal(root_threshold(chain_last(&c), "root"), 2);
}

static void refused_changes(void **state)
{
    (void)state;
    OWN_OFFICE struct office o = office_new();
    const char *const pubs[] = {o.pub[A], o.pub[A]}, *deny = "sha256:12", *const private[] = {o.key_path[A]};
    const struct {
        struct chain_change change;
        const char *text;
    } cases[] = {{{.epoch = -1, .root = {pubs, 1, 1}}, "role release has no key"},
                 {{.epoch = -1, .release = {pubs, 1, 1}}, "role root has no key"},
                 {{.epoch = -1, .root = {pubs, 2, 2}, .release = {pubs, 1, 1}}, "is there twice"},
                 {{.epoch = -1, .root = {pubs, 1, 2}, .release = {pubs, 1, 1}}, "a threshold of 2 with 1 keys"},
                 {{.epoch = -1, .root = {private, 1, 1}, .release = {pubs, 1, 1}}, "public key"},
                 {{.epoch = -1, .root = {pubs, 1, 1}, .release = {pubs, 1, 1}, .deny = &deny, .n_deny = 1}, "deny"},
                 {{.epoch = -1, .root = {pubs, 1, 1}, .release = {pubs, 1, 1}, .product = "No"}, "E_PATH"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        FAILS(ERR_USAGE, cases[i].text, chain_create(o.dir, &cases[i].change));
        OWN_FREE char *first = str_fmt("%s/0001", o.dir);
        assert_false(file_exists(AT_FDCWD, first));
    }
}

/* Folders that somebody had their hands in. */
static void broken_folders(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
        enum err_kind kind;
    } cases[] = {{"mv 0001 0002", "E_ROOT_CHAIN: 0002 where 0001 belongs", ERR_USAGE},
                 {"rm 0001/root.json", "root.json", ERR_USAGE},
                 {"rm -r 0001", "there are none", ERR_USAGE},
                 {"printf ' ' >>0001/root.json", "E_JSON", ERR_UNTRUSTED},
                 {"for s in 0001/*.sig; do printf x >$s; done", "E_SIG_BAD", ERR_UNTRUSTED},
                 {"head -c 600 /dev/zero >$(ls 0001/*.sig | head -n 1)", "more than 512 bytes", ERR_USAGE},
                 {"cp -r 0001 0002", "E_ROOT_CHAIN: version 1 in the place of version 2", ERR_UNTRUSTED},
                 {"sed -i s/caisson/cassion/2 0001/root.json", "E_SIG_BAD", ERR_UNTRUSTED},
                 {"sed 's/\"version\":1/\"version\":2/' 0001/root.json >n; mkdir 0002 0003; cp n 0002/root.json; sed "
                  "'s/\"version\":1/\"version\":3/' 0001/root.json >0003/root.json",
                  "E_ROOT_CHAIN: 0 of the 2 signatures", ERR_UNTRUSTED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_OFFICE struct office o = office_new();
        OWN_FREE char *script = str_fmt("cd '%s' && %s", o.dir, cases[i].script);
        OWN_DOC struct doc *shown = NULL;
        create_signed(&o);
        const char *const argv[] = {"/bin/sh", "-c", script, NULL};
        OK(child_run(argv, &(struct child_opts){0}, NULL));
        print_message("%s\n", cases[i].script);
        FAILS(cases[i].kind, cases[i].text, chain_show(&shown, o.dir));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(officers_sign_in_turn), cmocka_unit_test(two_sign_a_bundle),
        cmocka_unit_test(nothing_else_changes),  cmocka_unit_test(wrong_signers),
        cmocka_unit_test(killed_while_signing),  cmocka_unit_test(rotated),
        cmocka_unit_test(refused_changes),       cmocka_unit_test(broken_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
