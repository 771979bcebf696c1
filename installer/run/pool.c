#include "run/pool.h"

#include "base/buf.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct pool {
    pthread_mutex_t lock;
    size_t next, n;
    struct err *(*fn)(void *arg, size_t i);
    void *arg;
    struct err **errors;
};

static void *worker(void *arg)
{
    struct pool *p = arg;
    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        size_t i = p->next < p->n ? p->next++ : p->n;
        (void)pthread_mutex_unlock(&p->lock);
        if (i == p->n)
            return NULL;
        p->errors[i] = p->fn(p->arg, i);
    }
}

void pool_run(size_t n, size_t limit, struct err *(*fn)(void *arg, size_t i), void *arg, struct err *errors[])
{
    struct pool p = {.lock = PTHREAD_MUTEX_INITIALIZER, .n = n, .fn = fn, .arg = arg, .errors = errors};
    size_t want = n < limit ? n : limit, started = 0;
    pthread_t *threads = calloc(want + 1, sizeof *threads);
    while (threads && started + 1 < want && pthread_create(&threads[started], NULL, worker, &p) == 0)
        started++;
    (void)worker(&p); /* this thread works too, and alone when no other could be started */
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
}

struct err *pool_join(struct err *errors[], size_t n, const char *(*name)(const void *arg, size_t i), const void *arg)
{
    OWN_BUF struct buf text = {0};
    struct err *first = NULL;
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (!errors[i])
            continue;
        failed++;
        err_ignore(buf_fmt(&text, "%s%s: %s", text.len ? "\n" : "", name(arg, i), err_text(errors[i])));
        if (!first)
            first = err_wrap(errors[i], "%s", name(arg, i));
        else
            err_free(errors[i]);
        errors[i] = NULL;
    }
    if (failed <= 1)
        return first;
    struct err *all = err_new(err_kind(first), "%zu of %zu hosts failed:\n%s", failed, n, buf_text(&text));
    if (err_hint_text(first))
        all = err_hint(all, "%s", err_hint_text(first));
    err_free(first);
    return all;
}
