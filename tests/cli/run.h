/* run: starts cli_fake with arguments and environment, on pipes or on a terminal, and keeps what it said. */
#pragma once
#include "check.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>

struct outcome {
    int status;      /* exit status, or 128 + signal */
    char *out, *err; /* on a terminal all is in `out` */
};

static inline void outcome_done(struct outcome *o)
{
    free(o->out);
    free(o->err);
}
#define OWN_OUTCOME OWN(outcome_done)

static inline int status_of(pid_t pid)
{
    int st = 0;
    assert_int_equal(waitpid(pid, &st, 0), pid);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

/* `env` is one NAME=VALUE or NULL. */
static inline void become(const char *const argv[], const char *env)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (env)
        putenv((char *)env);
    if (chdir(TEST_DATA) == 0)
        execv(argv[0], (char *const *)argv);
    _exit(99);
}

static inline char *slurp(int fd)
{
    struct buf b = {0};
    OK(fd_read_all(fd, &b));
    char *text = b.len ? buf_take(&b) : strdup("");
    assert_non_null(text);
    return text;
}

/* Runs to the end on files; standard input is empty. */
static inline struct outcome run_plain(const char *env, const char *const argv[])
{
    struct outcome o = {0};
    FILE *out = tmpfile(), *err = tmpfile();
    assert_true(out && err);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        if (dup2(null, 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(err), 2) < 0)
            _exit(99);
        become(argv, env);
    }
    o.status = status_of(pid);
    (void)lseek(fileno(out), 0, SEEK_SET);
    (void)lseek(fileno(err), 0, SEEK_SET);
    o.out = slurp(fileno(out));
    o.err = slurp(fileno(err));
    (void)fclose(out);
    (void)fclose(err);
    return o;
}

/* Something to do when a text was seen on the terminal: type, or send a signal. */
struct cue {
    const char *seen;
    const char *type;
    int signal;
};

/* Runs on a terminal of 24 lines and `columns`; plays the cues in order, the last one has no `seen`. */
static inline struct outcome run_terminal(const char *env, const char *const argv[], unsigned short columns,
                                          const struct cue *cue)
{
    struct buf b = {0};
    struct winsize w = {.ws_row = 24, .ws_col = columns};
    int fd = -1;
    size_t from = 0;
    int64_t end = clock_ms() + 20000;
    pid_t pid = forkpty(&fd, NULL, NULL, &w);
    if (pid == 0) {
        (void)setenv("TERM", "xterm", 1);
        become(argv, env);
    }
    for (char block[4096]; clock_ms() < end;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 100) == 0)
            continue;
        ssize_t n = read(fd, block, sizeof block);
        if (n <= 0)
            break; /* EIO: the other side is closed */
        OK(buf_add(&b, block, (size_t)n));
        if (cue && cue->seen && strstr(b.at + from, cue->seen)) {
            from = b.len;
            if (cue->type)
                OK(fd_write_all(fd, cue->type, strlen(cue->type)));
            if (cue->signal)
                (void)kill(pid, cue->signal);
            cue++;
        }
    }
    if (clock_ms() >= end)
        (void)kill(pid, SIGKILL);
    struct outcome o = {.status = status_of(pid), .out = b.len ? buf_take(&b) : strdup(""), .err = strdup("")};
    (void)close(fd);
    return o;
}

#define PROGRAM BUILD_DIR "/tests/cli/cli_fake"
/* RUN("FAKE=x" or NULL, "plan", "-o", "json") */
#define RUN(env, ...) run_plain((env), (const char *const[]){PROGRAM, __VA_ARGS__, NULL})
#define RUN_TERMINAL(env, columns, cues, ...)                                                                          \
    run_terminal((env), (const char *const[]){PROGRAM, __VA_ARGS__, NULL}, (columns), (cues))

static inline void expect(const struct outcome *o, int status, const char *out, const char *err)
{
    if (o->status != status || (out && strcmp(out, o->out) != 0) || (err && strcmp(err, o->err) != 0)) {
        print_error("status %d, stdout:\n%s\nstderr:\n%s\n", o->status, o->out, o->err);
        fail();
    }
}

static inline void has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        print_error("no \"%s\" in:\n%s\n", part, text);
        fail();
    }
}
