/* The question before a publisher is pinned: on a terminal, and what becomes of each answer. */
#include "run.h"

#include <sys/stat.h>

struct shop {
    char *folder, *env, *chain, *root, *pinned;
};

/* A root document, and a trust store of its own. */
static struct shop shop_new(void)
{
    struct shop s = {.folder = check_folder()};
    OWN_FREE char *key = check_path(s.folder, "k"), *pub = check_path(s.folder, "k.pub");
    s.env = str_fmt("XDG_CONFIG_HOME=%s", s.folder);
    s.chain = check_path(s.folder, "chain");
    s.root = check_path(s.folder, "chain/0001/root.json");
    s.pinned = check_path(s.folder, "caisson/trust/caisson/root.json");
    OWN_OUTCOME struct outcome k = RUN(NULL, "key", "generate", key);
    expect(&k, 0, NULL, NULL);
    OWN_OUTCOME struct outcome c = RUN(NULL, "root", "create", s.chain, "--root-key", pub, "--release-key", pub);
    expect(&c, 0, NULL, NULL);
    return s;
}

static void shop_done(struct shop *s)
{
    free(s->env);
    free(s->chain);
    free(s->root);
    free(s->pinned);
    check_folder_done(&s->folder);
}
#define OWN_SHOP OWN(shop_done)

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        bool yes;
    } rows[] = {{"\n", false}, {"n\n", false}, {"sure\n", false}, {"y\n", true}};
    OWN_SHOP struct shop s = shop_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct cue cues[] = {{"trust it? [y/N]", rows[i].typed, 0}, {0}};
        OWN_OUTCOME struct outcome o = RUN_TERMINAL(s.env, 120, cues, "trust", "bundle", s.root);
        has(o.out, "root document 1 of product caisson");
        has(o.out, "root: 1 of");
        has(o.out, "fingerprint sha256:");
        has(o.out, "by another way than this file came");
        assert_int_equal(o.status, rows[i].yes ? 0 : 6);
        assert_true(file_exists(AT_FDCWD, s.pinned) == rows[i].yes);
    }
    /* nobody is asked about what is pinned */
    OWN_OUTCOME struct outcome again = RUN(s.env, "trust", "bundle", s.root);
    expect(&again, 0, NULL, "");
    has(again.out, "pinned already");
}

static void interrupted(void **state)
{
    (void)state;
    OWN_SHOP struct shop s = shop_new();
    const struct cue cues[] = {{"trust it? [y/N]", NULL, SIGINT}, {0}};
    OWN_OUTCOME struct outcome o = RUN_TERMINAL(s.env, 120, cues, "trust", "bundle", s.root);
    assert_int_equal(o.status, 130);
    assert_false(file_exists(AT_FDCWD, s.pinned));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
