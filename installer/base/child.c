#include "base/child.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Pipe ends of one running child; parent side, -1 when closed or not used. */
struct pipes {
    int in, out, err;
};

static void pipes_done(struct pipes *p)
{
    own_close(&p->in);
    own_close(&p->out);
    own_close(&p->err);
}

static struct err *pipe_make(int *ret_parent, int *ret_child, bool parent_reads)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_os(errno, "create pipe");
    *ret_parent = fd[parent_reads ? 0 : 1];
    *ret_child = fd[parent_reads ? 1 : 0];
    (void)fcntl(*ret_parent, F_SETFL, O_NONBLOCK);
    return NULL;
}

static struct err *child_start(pid_t *ret, struct pipes *p, const char *const argv[], const struct child_opts *o)
{
    OWN_FD int in = -1, out = -1, err = -1;
    if (o->input)
        TRY(pipe_make(&p->in, &in, false));
    if (o->output)
        TRY(pipe_make(&p->out, &out, true));
    TRY(pipe_make(&p->err, &err, true));
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    int from = in >= 0 ? in : o->input_fd;
    if (from > 0)
        posix_spawn_file_actions_adddup2(&fa, from, 0);
    else
        posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&fa, out, 1);
    else
        posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, err, 2);
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    sigset_t none, dfl;
    sigemptyset(&none);
    sigemptyset(&dfl);
    sigaddset(&dfl, SIGPIPE);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &dfl);
    /* its own process group: a Ctrl-C is for us, we decide what a running child does */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int sys = posix_spawnp(ret, argv[0], &fa, &attr, (char *const *)argv, o->env ? (char *const *)o->env : environ);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return sys ? err_os(sys, "start %s", argv[0]) : NULL;
}

/* Keeps the last half of `max` bytes when the next chunk might not fit. */
static void keep_tail(struct buf *b, size_t chunk)
{
    if (b->len + chunk <= b->max)
        return;
    size_t drop = b->len > b->max / 2 ? b->len - b->max / 2 : 0;
    memmove(b->at, b->at + drop, b->len - drop + 1);
    b->len -= drop;
}

/* Moves what is ready; closes ends that are done. `last` says that only the end of the text matters. */
static struct err *pump_one(int *fd, struct buf *into, bool last)
{
    char chunk[16384];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (n <= 0) {
        own_close(fd);
        *fd = -1;
        return NULL;
    }
    if (last)
        keep_tail(into, (size_t)n);
    return buf_add(into, chunk, (size_t)n);
}

static void pump_input(struct pipes *p, const struct child_opts *o, size_t *sent)
{
    ssize_t n = write(p->in, (const char *)o->input + *sent, o->input_len - *sent);
    if (n > 0)
        *sent += (size_t)n;
    if (*sent < o->input_len && (n >= 0 || errno == EAGAIN || errno == EINTR))
        return;
    own_close(&p->in); /* all written, or the child reads no more */
    p->in = -1;
}

static struct err *timed_out(const struct child_opts *o)
{
    return err_new(ERR_FAILED, "timed out after %g s", (double)o->timeout_ms / 1000);
}

static struct err *pump(struct pipes *p, const struct child_opts *o, struct buf *errors, int64_t deadline)
{
    size_t sent = 0;
    while (p->in >= 0 || p->out >= 0 || p->err >= 0) {
        struct pollfd fds[] = {{.fd = p->in, .events = POLLOUT},
                               {.fd = p->out, .events = POLLIN},
                               {.fd = p->err, .events = POLLIN},
                               {.fd = o->cancel ? o->cancel->fd : -1, .events = POLLIN}};
        int64_t left = deadline ? deadline - clock_ms() : -1;
        if (deadline && left <= 0)
            return timed_out(o);
        int n = poll(fds, ARRAY_LEN(fds), left > INT_MAX ? INT_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return err_os(errno, "poll");
        if (n <= 0)
            continue;
        if (fds[3].revents)
            return err_new(ERR_CANCELLED, "cancelled");
        if (fds[0].revents)
            pump_input(p, o, &sent);
        if (fds[1].revents)
            TRY(pump_one(&p->out, o->output, false));
        if (fds[2].revents)
            TRY(pump_one(&p->err, errors, !o->errors));
    }
    return NULL;
}

static int status_of(int st)
{
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

/*
 * Waits for the end of a child that has closed its pipes: mostly it is ending, but it may also go on without
 * them, and then deadline and cancel hold as before.
 */
static struct err *child_end(int *ret, pid_t pid, const struct child_opts *o, int64_t deadline)
{
    int64_t pause = 1;
    for (;;) {
        pid_t r = waitpid(pid, ret, WNOHANG);
        if (r == pid)
            return NULL;
        if (r < 0 && errno != EINTR)
            return err_os(errno, "wait");
        if (deadline && clock_ms() >= deadline)
            return timed_out(o);
        TRY(cancel_sleep(o->cancel, pause));
        pause = pause < 50 ? pause * 2 : 50;
    }
}

/* Ends the child and whatever it started: it leads a process group of its own. */
static void child_kill(int *ret, pid_t pid)
{
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, ret, 0) < 0 && errno == EINTR)
        ;
}

/* The last lines of what the program said, as one line for an error text. */
static const char *tail(struct buf *b)
{
    while (b->len && strchr("\n\r ", b->at[b->len - 1]))
        b->at[--b->len] = '\0';
    size_t from = b->len > 600 ? b->len - 600 : 0;
    for (size_t i = from; i < b->len; i++)
        if (b->at[i] == '\n')
            b->at[i] = '|';
    return buf_text(b) + from;
}

struct err *child_run(const char *const argv[], const struct child_opts *o, int *ret_status)
{
    OWN(pipes_done) struct pipes p = {-1, -1, -1};
    OWN_BUF struct buf own_errors = {.max = (size_t)64 << 10};
    struct buf *errors = o->errors ? o->errors : &own_errors;
    pid_t pid = -1;
    TRY(child_start(&pid, &p, argv, o));
    int64_t deadline = o->timeout_ms ? clock_ms() + o->timeout_ms : 0;
    int st = 0;
    struct err *e = pump(&p, o, errors, deadline);
    if (!e)
        e = child_end(&st, pid, o, deadline);
    if (e)
        child_kill(&st, pid);
    int status = status_of(st);
    if (ret_status)
        *ret_status = status;
    if (e)
        return err_wrap(e, "%s", argv[0]);
    if (status == 0)
        return NULL;
    return err_new(ERR_FAILED, "%s: exit %d: %s", argv[0], status, o->errors ? "" : tail(errors));
}
