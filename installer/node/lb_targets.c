#include "node/lb.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "crypt/tls.h"
#include "node/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MS 1000
#define HEALTH_MS 2000
#define CHECK_MS 2000
#define DEAD_AFTER 2 /* failed checks: at most 2 * (HEALTH_MS + CHECK_MS) = 8 s */

static bool same(const struct lb_target *a, const struct lb_target *b)
{
    return a->port == b->port && str_eq(a->address, b->address);
}

struct err *lb_address(char ret[64], int *ret_port, const char *text)
{
    unsigned char any[16];
    int64_t port = 0;
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool v6 = n > 2 && text[0] == '[' && text[n - 1] == ']';
    if (!n || n > 63 || !str_int(colon + 1, 1, 65535, &port))
        return err_new(ERR_USAGE, "\"%s\" is not like 10.0.0.1:6443 or [fd00::1]:6443", text);
    (void)snprintf(ret, 64, "%.*s", (int)(v6 ? n - 2 : n), text + v6);
    if (inet_pton(v6 ? AF_INET6 : AF_INET, ret, any) != 1)
        return err_new(ERR_USAGE, "\"%s\" is no numeric address", ret);
    *ret_port = (int)port;
    return NULL;
}

/* ---- the file ---- */

static struct err *targets_parse(struct lb_target *ret, size_t *ret_n, char *text)
{
    char *save = NULL;
    *ret_n = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, "# \t\r")] = '\0';
        if (!*line)
            continue;
        if (*ret_n == LB_TARGETS_MAX)
            return err_new(ERR_USAGE, "more than %d targets", LB_TARGETS_MAX);
        struct lb_target *t = &ret[(*ret_n)++];
        *t = (struct lb_target){.up = true}; /* until a check says otherwise */
        TRY(lb_address(t->address, &t->port, line));
    }
    return *ret_n ? NULL : err_new(ERR_USAGE, "no targets");
}

/* Takes the new list; targets that were there before keep their health. */
static struct err *targets_load(struct lb_targets *t)
{
    OWN_BUF struct buf text = {.max = 1 << 20};
    struct lb_target fresh[LB_TARGETS_MAX];
    size_t n = 0;
    OWN_FD int fd = open(t->opts->targets, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "open %s", t->opts->targets);
    TRY(fd_read_all(fd, &text));
    TRY(buf_str(&text, ""));
    TRY_CTX(targets_parse(fresh, &n, text.at), "%s", t->opts->targets);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < t->n; k++)
            if (same(&fresh[i], &t->at[k]))
                fresh[i] = t->at[k];
    memcpy(t->at, fresh, n * sizeof *fresh);
    t->n = n;
    pthread_mutex_unlock(&t->lock);
    cancel_set(&t->changed);
    return NULL;
}

/* ---- health ---- */

struct check {
    const struct lb_opts *opts;
    struct lb_target target;
    bool good;
    pthread_t thread;
    bool started;
};

static struct err *check_tls(const struct check *c)
{
    OWN_BUF struct buf body = {0};
    int status = 0;
    struct tls_call call = {.address = c->target.address,
                            .port = (uint16_t)c->target.port,
                            .name = c->opts->name ? c->opts->name : c->target.address,
                            .path = "/readyz",
                            .ca_file = c->opts->ca,
                            .deadline_ms = clock_ms() + CHECK_MS};
    TRY(tls_get(&body, &status, &call));
    return status == 200 ? NULL : err_new(ERR_FAILED, "readyz answers %d", status);
}

static void *check_main(void *arg)
{
    struct check *c = arg;
    OWN_FD int fd = -1;
    struct err *e = c->opts->ca ? check_tls(c) : probe_connect(&fd, c->target.address, c->target.port, CHECK_MS);
    c->good = e == NULL;
    err_ignore(e); /* the result is one bit */
    return NULL;
}

static void health_note(struct lb_targets *t, const struct check *c)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++) {
        struct lb_target *one = &t->at[i];
        if (!same(one, &c->target))
            continue;
        bool was = one->up;
        one->failures = c->good ? 0 : one->failures + 1;
        one->up = c->good || (was && one->failures < DEAD_AFTER);
        if (one->up == was)
            continue;
        (void)fprintf(stderr, "%s port %d is %s\n", one->address, one->port, one->up ? "up" : "down");
        cancel_set(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
}

/* All targets at the same time: a dead one must not delay the others' turn. */
static void health_round(struct lb_targets *t)
{
    struct check checks[LB_TARGETS_MAX];
    pthread_mutex_lock(&t->lock);
    size_t n = t->n;
    for (size_t i = 0; i < n; i++)
        checks[i] = (struct check){.opts = t->opts, .target = t->at[i]};
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < n; i++)
        checks[i].started = pthread_create(&checks[i].thread, NULL, check_main, &checks[i]) == 0;
    for (size_t i = 0; i < n; i++) {
        if (!checks[i].started)
            continue; /* no thread, no news */
        pthread_join(checks[i].thread, NULL);
        health_note(t, &checks[i]);
    }
}

/* ---- the watcher ---- */

static bool stat_differs(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static void *watcher_main(void *arg)
{
    struct lb_targets *t = arg;
    struct stat seen = {0}, now = {0};
    int64_t health_ms = clock_ms();
    for (;;) {
        struct err *stop = cancel_sleep(&t->stop, FILE_MS / 4);
        if (stop) {
            err_free(stop);
            return NULL;
        }
        if (stat(t->opts->targets, &now) == 0 && stat_differs(&seen, &now)) {
            seen = now;
            struct err *e = targets_load(t);
            if (e) /* the old list stays */
                (void)fprintf(stderr, "%s\n", err_text(e));
            err_free(e);
        }
        if (clock_ms() - health_ms < HEALTH_MS)
            continue;
        health_round(t);
        health_ms = clock_ms();
    }
}

struct err *lb_targets_start(struct lb_targets *t, const struct lb_opts *o)
{
    *t = (struct lb_targets){.lock = PTHREAD_MUTEX_INITIALIZER, .opts = o, .changed = {-1}, .stop = {-1}};
    TRY(cancel_init(&t->changed));
    TRY(cancel_init(&t->stop));
    TRY(targets_load(t));
    int sys = pthread_create(&t->watcher, NULL, watcher_main, t);
    return sys ? err_os(sys, "start thread") : NULL;
}

void lb_targets_stop(struct lb_targets *t)
{
    cancel_set(&t->stop);
    pthread_join(t->watcher, NULL);
    cancel_done(&t->changed);
    cancel_done(&t->stop);
}

static bool was_tried(const struct lb_target *one, const struct lb_target *tried, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same(one, &tried[i]))
            return true;
    return false;
}

bool lb_targets_choose(struct lb_target *ret, struct lb_targets *t, const struct lb_target *tried, size_t n_tried)
{
    bool found = false;
    pthread_mutex_lock(&t->lock);
    for (int pass = 0; pass < 2 && !found; pass++) /* those that look dead only when nothing else is left */
        for (size_t i = 0; i < t->n && !found; i++) {
            const struct lb_target *one = &t->at[(t->next + i) % t->n];
            if (one->up != (pass == 0) || was_tried(one, tried, n_tried))
                continue;
            *ret = *one;
            t->next = (unsigned)((t->next + i + 1) % t->n);
            found = true;
        }
    pthread_mutex_unlock(&t->lock);
    return found;
}

bool lb_targets_alive(struct lb_targets *t, const struct lb_target *one)
{
    bool alive = false;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++)
        alive = alive || (same(&t->at[i], one) && t->at[i].up);
    pthread_mutex_unlock(&t->lock);
    return alive;
}
