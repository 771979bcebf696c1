#include "node/run.h"

#include "base/child.h"
#include "base/own.h"
#include "base/text.h"
#include "node/node.h"
#include "wire/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#define OUTPUT_MAX ((size_t)3 << 20) /* fits into one answer */
#define ERRORS_MAX ((size_t)64 << 20)
#define ERRORS_KEPT 65536
#define ARGS_MAX 256

/* The real path of the program, allowed ones only. */
static struct err *program_path(char **ret, const struct node *n, const char *asked)
{
    static const char tree[] = "/" NODE_BASE "/tree/";
    char digest[65];
    if (!name_is_absolute(asked) || !str_starts(asked, tree))
        return err_new(ERR_REFUSED, "%s: only programs below %s<digest>/ are run", asked, tree);
    (void)snprintf(digest, sizeof digest, "%s", asked + strlen(tree));
    if (!str_is_sha256(digest) || asked[strlen(tree) + 64] != '/')
        return err_new(ERR_REFUSED, "%s: only programs below %s<digest>/ are run", asked, tree);
    OWN_FREE char *full = str_fmt("%s%s", n->root, asked);
    OWN_FREE char *inside = str_fmt("%s%s%s/", n->root, tree, digest);
    OWN_FREE char *real = full ? realpath(full, NULL) : NULL;
    OWN_FREE char *real_inside = inside ? realpath(inside, NULL) : NULL;
    if (!real || !real_inside)
        return err_os(errno, "%s", asked);
    if (!str_starts(real, real_inside) || real[strlen(real_inside)] != '/')
        return err_new(ERR_REFUSED, "%s leads out of its package", asked);
    *ret = TAKE(real);
    return NULL;
}

struct err *run_in_tree(struct run_result *ret, const struct node *n, const struct doc *argv, int input_fd,
                        int64_t timeout_ms, const struct cancel *c)
{
    static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
                                      "LANG=C.UTF-8", NULL};
    const char *args[ARGS_MAX + 1] = {NULL};
    size_t n_args = 0;
    DOC_EACH (v, argv) {
        if (!v->text || n_args == ARGS_MAX)
            return err_new(ERR_USAGE, "argv is no list of at most %d texts", ARGS_MAX);
        args[n_args++] = v->text;
    }
    if (!n_args)
        return err_new(ERR_USAGE, "argv is empty");
    OWN_FREE char *program = NULL;
    TRY(program_path(&program, n, args[0]));
    args[0] = program;
    ret->output.max = OUTPUT_MAX;
    ret->errors.max = ERRORS_MAX;
    struct child_opts o = {.input_fd = input_fd,
                           .output = &ret->output,
                           .errors = &ret->errors,
                           .timeout_ms = timeout_ms,
                           .env = env,
                           .cancel = c};
    ret->status = -1;
    struct err *e = child_run(args, &o, &ret->status);
    if (e && ret->status > 0 && ret->status != 128 + 9) { /* it ran and said no: that is an answer */
        err_free(e);
        return NULL;
    }
    return e;
}

void run_result_done(struct run_result *r)
{
    buf_done(&r->output);
    buf_done(&r->errors);
}

/* ---- run ---- */

/* Carries the body of the request to the program. */
struct feed {
    struct stream *s;
    int fd;
    struct cancel stop; /* the program has ended: nobody reads any more */
    struct cancel lost; /* the caller is gone before the body was whole */
};

static void *feed_main(void *arg)
{
    struct feed *f = arg;
    OWN_FREE char *chunk = malloc(65536);
    struct err *e = chunk ? NULL : err_os(ENOMEM, "feed");
    size_t n = 1;
    while (!e && n) {
        e = stream_read(f->s, chunk, 65536, &n, &f->stop);
        if (e && err_kind(e) == ERR_UNREACHABLE)
            cancel_set(&f->lost);
        for (size_t at = 0; !e && at < n;) {
            ssize_t w = write(f->fd, chunk + at, n - at);
            if (w < 0 && errno != EINTR)
                e = err_os(errno, "feed");
            at += w > 0 ? (size_t)w : 0;
        }
    }
    err_ignore(e); /* a program that reads no more is its own business; a lost caller was noted */
    own_close(&f->fd);
    return NULL;
}

/* What a program wrote, its last `keep` bytes, as text. */
static void reply_text(struct doc *reply, const char *key, struct buf *b, size_t keep)
{
    if (b->len > keep) {
        memmove(b->at, b->at + b->len - keep, keep);
        b->len = keep;
        b->at[keep] = '\0';
    }
    text_clean(b->at, b->len, 1);
    doc_set_text(reply, key, buf_text(b));
}

static struct err *run_fed(struct run_result *r, struct call *c, struct feed *f)
{
    int fd[2];
    pthread_t thread;
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_os(errno, "pipe");
    (void)fcntl(fd[1], F_SETPIPE_SZ, 1 << 20); /* only faster */
    f->fd = fd[1];
    int sys = pthread_create(&thread, NULL, feed_main, f);
    if (sys) {
        own_close(&fd[0]);
        own_close(&fd[1]);
        return err_os(sys, "start thread");
    }
    int64_t timeout_ms = doc_int(c->request, "timeoutMs", 10 * 60 * 1000);
    struct err *e = run_in_tree(r, c->n, doc_get(c->request, "argv"), fd[0], timeout_ms, &f->lost);
    own_close(&fd[0]);
    cancel_set(&f->stop);
    pthread_join(thread, NULL);
    return e;
}

struct err *op_run(struct call *c)
{
    struct feed f = {.s = c->s, .fd = -1, .stop = {-1}, .lost = {-1}};
    struct run_result r = {0};
    struct err *e = cancel_init(&f.stop);
    if (!e)
        e = cancel_init(&f.lost);
    if (!e)
        e = run_fed(&r, c, &f);
    if (!e) {
        doc_set_int(c->reply, "exit", r.status);
        reply_text(c->reply, "stdout", &r.output, OUTPUT_MAX);
        reply_text(c->reply, "stderr", &r.errors, ERRORS_KEPT);
    }
    run_result_done(&r);
    cancel_done(&f.stop);
    cancel_done(&f.lost);
    return e;
}
