/* A build that is killed, wherever: nothing is left beside the bundle, and the next one ends like any other. */
#include "kill.h"
#include "workshop.h"

#include <dirent.h>

enum { ROUNDS = 200 };

/* An Ed25519 signature has no random number in it: equal builds are equal files. */
static void sign_by_ed25519(struct workshop *w)
{
    char id[65];
    OWN_FREE char *name = check_path(w->folder, "release");
    assert_int_equal(unlink(w->key), 0);
    assert_int_equal(unlink(w->pub), 0);
    OK(keys_generate(id, name, KEYS_ED25519, NULL));
}

struct scene {
    struct workshop w;
    struct buf clean; /* the bundle of a run that nobody disturbed */
    unsigned round;
};

static void run_build(void *arg)
{
    const struct scene *s = arg;
    struct build_result result;
    err_ignore(bundle_build(&result, &s->w.opts, NULL, NULL)); /* looked at from outside */
}

static void check_clean(const struct scene *s)
{
    OWN_BUF struct buf bytes = {0};
    OK(file_read(&bytes, AT_FDCWD, s->w.out));
    assert_int_equal(bytes.len, s->clean.len);
    assert_memory_equal(bytes.at, s->clean.at, bytes.len);
}

/* No name that a whole run does not leave either. */
static void check_names(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));)
        if (str_ends(d->d_name, ".new") || strstr(d->d_name, "scratch"))
            fail_msg("%s is left in %s", d->d_name, folder);
    (void)closedir(dir);
}

/* What a killed run left; every other time the next one finds its cache as the dead one left it. */
static void check_build(void *arg)
{
    struct scene *s = arg;
    OWN_FREE char *packages = check_path(s->w.cache, "packages"), *evidence = check_path(s->w.cache, "evidence");
    if (file_exists(AT_FDCWD, s->w.out))
        check_clean(s);
    run_build(s);
    check_clean(s);
    check_names(s->w.folder);
    check_names(s->w.cache);
    check_names(packages);
    check_names(evidence);
    if (s->round++ % 2 == 0)
        (void)unlink(s->w.out);
    if (s->round % 3) {
        OK(file_remove_tree(AT_FDCWD, packages));
        OK(file_remove_tree(AT_FDCWD, evidence));
    }
}

static void killed_anywhere(void **state)
{
    (void)state;
    struct scene s = {.w = workshop_new()};
    struct build_result result;
    sign_by_ed25519(&s.w);
    OK(bundle_build(&result, &s.w.opts, NULL, NULL));
    OK(file_read(&s.clean, AT_FDCWD, s.w.out));
    kill_everywhere(run_build, check_build, &s, ROUNDS);
    buf_done(&s.clean);
    workshop_done(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
