/* The pool: every call is made, so many at a time, whatever others return; and how errors are told. */
#include "check.h"
#include "run/pool.h"

#include "base/clock.h"

#include <stdatomic.h>

struct load {
    atomic_int calls[200], running, most;
    int fail_every; /* 0: none fails */
};

static struct err *call(void *arg, size_t i)
{
    struct load *l = arg;
    int now = atomic_fetch_add(&l->running, 1) + 1;
    for (int most = atomic_load(&l->most); now > most && !atomic_compare_exchange_weak(&l->most, &most, now);)
        ;
    atomic_fetch_add(&l->calls[i], 1);
    clock_sleep_ms(1);
    atomic_fetch_sub(&l->running, 1);
    return l->fail_every && i % (size_t)l->fail_every == 0 ? err_new(ERR_UNREACHABLE, "call %zu", i) : NULL;
}

static void every_call_is_made_once(void **state)
{
    (void)state;
    static const struct {
        size_t n, limit;
        int fail_every;
    } cases[] = {{0, 4, 0}, {1, 4, 0}, {3, 64, 0}, {200, 1, 0}, {200, 8, 3}, {200, 64, 1}, {5, 0, 0}};
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        struct load l = {.fail_every = cases[c].fail_every};
        struct err *errors[200] = {0};
        pool_run(cases[c].n, cases[c].limit, call, &l, errors);
        for (size_t i = 0; i < 200; i++) {
            assert_int_equal(l.calls[i], i < cases[c].n);
            bool fails = i < cases[c].n && l.fail_every && i % (size_t)l.fail_every == 0;
            assert_int_equal(errors[i] != NULL, fails);
            err_free(errors[i]);
        }
        assert_true((size_t)l.most <= (cases[c].limit ? cases[c].limit : 1));
    }
}

static const char *name(const void *arg, size_t i)
{
    return ((const char *const *)arg)[i];
}

static void errors_are_joined(void **state)
{
    (void)state;
    static const char *const names[] = {"cp1", "cp2", "w1"};
    struct err *errors[3] = {0};
    OK(pool_join(errors, 3, name, names));
    errors[1] = err_hint(err_new(ERR_REFUSED, "no root rights"), "allow sudo");
    struct err *e = pool_join(errors, 3, name, names);
    assert_string_equal(err_hint_text(e), "allow sudo");
    FAILS(ERR_REFUSED, "cp2: no root rights", e);
    errors[0] = err_hint(err_new(ERR_UNTRUSTED, "another key"), "trust it");
    errors[2] = err_new(ERR_UNREACHABLE, "timed out");
    e = pool_join(errors, 3, name, names);
    assert_string_equal(err_hint_text(e), "trust it");
    assert_non_null(strstr(err_text(e), "w1: timed out"));
    FAILS(ERR_UNTRUSTED, "2 of 3 hosts failed:\ncp1: another key", e);
    for (size_t i = 0; i < 3; i++)
        assert_null(errors[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_made_once),
        cmocka_unit_test(errors_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
