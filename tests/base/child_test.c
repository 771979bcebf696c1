#include "base/child.h"

#include "base/clock.h"
#include "check.h"

#include <pthread.h>
#include <linux/close_range.h>
#include <signal.h>

static struct err *shell(const char *script, const struct child_opts *o, int *ret_status)
{
    return child_run((const char *const[]){"sh", "-c", script, NULL}, o, ret_status);
}

static void output_and_status(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {0}, errors = {0};
    int status = -1;
    OK(shell("echo out; echo err >&2", &(struct child_opts){.output = &out, .errors = &errors}, &status));
    assert_int_equal(status, 0);
    assert_string_equal(out.at, "out\n");
    assert_string_equal(errors.at, "err\n");
    FAILS(ERR_FAILED, "sh: exit 7: one | two",
          shell("echo one' ' >&2; echo ' 'two >&2; exit 7", &(struct child_opts){0}, &status));
    assert_int_equal(status, 7);
    FAILS(ERR_FAILED, "exit 143", shell("kill -TERM $$", &(struct child_opts){0}, &status));
    assert_int_equal(status, 128 + SIGTERM);
}

static void no_such_program(void **state)
{
    (void)state;
    FAILS(ERR_FAILED, "start caisson-no-such-program: No such file",
          child_run((const char *const[]){"caisson-no-such-program", NULL}, &(struct child_opts){0}, NULL));
}

/* Arguments arrive as they are: no shell looks at them. */
static void arguments_untouched(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {0};
    OK(child_run((const char *const[]){"printf", "%s|%s|%s", "$(id)", "a b", "; 'x", NULL},
                 &(struct child_opts){.output = &out}, NULL));
    assert_string_equal(out.at, "$(id)|a b|; 'x");
}

/* Both pipes are far too small for this: neither side may wait for the other. */
static void input_larger_than_a_pipe(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    OWN_FREE char *data = malloc(SIZE);
    OWN_BUF struct buf out = {0};
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + (i >> 9));
    OK(shell("cat", &(struct child_opts){.input = data, .input_len = SIZE, .output = &out, .timeout_ms = 60000}, NULL));
    assert_int_equal(out.len, SIZE);
    assert_memory_equal(out.at, data, SIZE);
}

static void input_not_read(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    OWN_FREE char *data = calloc(1, SIZE);
    OK(shell("exec <&-; exit 0", &(struct child_opts){.input = data, .input_len = SIZE, .timeout_ms = 60000}, NULL));
    OWN_BUF struct buf out = {0};
    OK(shell("cat", &(struct child_opts){.input = "", .output = &out}, NULL)); /* no bytes: end of file at once */
    assert_int_equal(out.len, 0);
}

static void input_from_descriptor(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "in");
    check_write(dir, "in", "from a file", 11);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    OWN_BUF struct buf out = {0};
    OK(shell("cat", &(struct child_opts){.input_fd = fd, .output = &out}, NULL));
    assert_string_equal(out.at, "from a file");
}

static void output_ceiling(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {.max = 1000};
    FAILS(ERR_FAILED, "more than 1000 bytes", shell("yes", &(struct child_opts){.output = &out}, NULL));
}

/* A program may say on standard error what it likes; the end of it is what counts. */
static void much_on_standard_error(void **state)
{
    (void)state;
    FAILS(ERR_FAILED, "the reason",
          shell("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the reason >&2; exit 1",
                &(struct child_opts){.timeout_ms = 60000}, NULL));
    OK(shell("head -c 3000000 /dev/zero >&2", &(struct child_opts){.timeout_ms = 60000}, NULL));
}

static void expect_timeout(const char *script)
{
    int status = 0;
    int64_t from = clock_ms();
    FAILS(ERR_FAILED, "sh: timed out after 0.3 s", shell(script, &(struct child_opts){.timeout_ms = 300}, &status));
    int64_t took = clock_ms() - from;
    assert_true(took >= 300 && took < 10000);
    assert_int_equal(status, 128 + SIGKILL);
}

static void timeout(void **state)
{
    (void)state;
    expect_timeout("exec sleep 60");
    expect_timeout("exec >&- 2>&-; exec sleep 60"); /* its pipes are closed, it goes on */
}

/* What a killed child started is gone too. */
static void timeout_ends_the_group(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "pid");
    OWN_FREE char *script = str_fmt("sleep 60 & echo $! >%s; wait", path);
    OWN_BUF struct buf pid = {0};
    expect_timeout(script);
    OK(file_read(&pid, AT_FDCWD, path));
    int64_t n = 0;
    pid.at[strcspn(pid.at, "\n")] = '\0';
    assert_true(str_int(pid.at, 2, INT32_MAX, &n));
    OWN_FREE char *stat_path = str_fmt("/proc/%lld/stat", (long long)n);
    for (int i = 0; i < 100; i++) { /* gone, or a zombie that nobody has collected yet */
        OWN_BUF struct buf stat = {0};
        struct err *e = file_read(&stat, AT_FDCWD, stat_path);
        bool gone = e != NULL || strstr(stat.at, ") Z ");
        err_free(e);
        if (gone)
            return;
        clock_sleep_ms(20);
    }
    fail_msg("process %lld is still there", (long long)n);
}

static void *cancel_soon(void *arg)
{
    clock_sleep_ms(200);
    cancel_set(arg);
    return NULL;
}

static void expect_cancel(const char *script)
{
    OWN(cancel_done) struct cancel c = {.fd = -1};
    pthread_t thread;
    OK(cancel_init(&c));
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    int64_t from = clock_ms();
    FAILS(ERR_CANCELLED, "sh: cancelled", shell(script, &(struct child_opts){.cancel = &c}, NULL));
    assert_true(clock_ms() - from < 10000);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void cancelled(void **state)
{
    (void)state;
    expect_cancel("exec sleep 60");
    expect_cancel("exec >&- 2>&-; exec sleep 60");
}

static void environment(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {0};
    const char *const env[] = {"PATH=/usr/bin:/bin", "ONLY=this", NULL};
    OK(child_run((const char *const[]){"env", NULL}, &(struct child_opts){.output = &out, .env = env}, NULL));
    assert_string_equal(out.at, "PATH=/usr/bin:/bin\nONLY=this\n");
}

/* None of our descriptors but the three is seen by a child. */
static void no_descriptors_leak(void **state)
{
    (void)state;
    OWN_BUF struct buf out = {0};
    OK(child_run((const char *const[]){"ls", "/proc/self/fd", NULL},
                 &(struct child_opts){.output = &out, .input = "x", .input_len = 1}, NULL));
    assert_string_equal(out.at, "0\n1\n2\n3\n"); /* 3: ls reading the folder */
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);                 /* as child.h asks */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* what the caller of the test left open is not our leak */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status),
        cmocka_unit_test(no_such_program),
        cmocka_unit_test(arguments_untouched),
        cmocka_unit_test(input_larger_than_a_pipe),
        cmocka_unit_test(input_not_read),
        cmocka_unit_test(input_from_descriptor),
        cmocka_unit_test(output_ceiling),
        cmocka_unit_test(much_on_standard_error),
        cmocka_unit_test(timeout),
        cmocka_unit_test(timeout_ends_the_group),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(environment),
        cmocka_unit_test(no_descriptors_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
