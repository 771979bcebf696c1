#include "ops/deliver.h"

#include "base/file.h"
#include "ops/images.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* What changes the node is awaited once it was asked for: Ctrl-C counts before it and behind it. */
static struct err *act(struct doc **ret, struct fleet *f, struct member *m, const char *op, struct doc *args)
{
    struct err *e = cancel_check(f->x->cancel);
    if (!e)
        return node_call(ret, m->node, op, args, NULL);
    doc_free(args);
    return e;
}

/* ---- packages and secrets: a sending that is cut off leaves nothing ---- */

struct blob_source {
    const struct bundle *bundle;
    const char *digest;
};

static struct err *produce_blob(void *arg, int fd)
{
    const struct blob_source *s = arg;
    return bundle_copy(s->bundle, s->digest, fd);
}

static struct err *send_tree(struct fleet *f, struct member *m, const char *digest)
{
    struct context *x = f->x;
    const struct doc *artifact = release_artifact(&x->release, digest);
    const struct bundle *bundle = context_bundle(x, digest);
    uint64_t size = 0;
    char human[24];
    if (!artifact || !bundle || !bundle_blob(bundle, digest, &size))
        return err_new(ERR_FAILED, "the bundle has no package %s", digest);
    struct doc *args = doc_new_map();
    doc_set_text(args, "digest", digest);
    doc_set_int(args, "size", (int64_t)size);
    doc_set_int(args, "rawMax", doc_int(artifact, "rawSize", 0));
    str_size(human, size);
    event_emit(x->events, EVENT_STEP, m->host->name, "send package %s, %s", doc_text(artifact, "name"), human);
    struct blob_source source = {bundle, digest};
    struct wire_body body = {.produce = produce_blob, .arg = &source};
    TRY_CTX(node_send(NULL, m->node, "tree.put", args, &body, x->cancel), "package %s", doc_text(artifact, "name"));
    return NULL;
}

struct text_source {
    const char *text;
    size_t len;
};

static struct err *produce_text(void *arg, int fd)
{
    const struct text_source *s = arg;
    return fd_write_all(fd, s->text, s->len);
}

static struct err *send_secret(struct fleet *f, struct member *m, const char *id)
{
    const struct doc *text = doc_get(m->want->secrets, id);
    if (!text)
        return err_new(ERR_FAILED, "no secret %s", id);
    struct doc *args = doc_new_map();
    doc_set_text(args, "id", id);
    struct text_source source = {text->text, strlen(text->text)};
    struct wire_body body = {.produce = produce_text, .arg = &source};
    return node_send(NULL, m->node, "secret.put", args, &body, f->x->cancel);
}

static struct err *deliver_missing(struct fleet *f, struct member *m)
{
    struct doc *ask = doc_new_map();
    OWN_DOC struct doc *have = NULL;
    doc_set(ask, "trees", doc_clone(doc_get(m->want->manifest, "trees")));
    struct doc *ids = doc_set(ask, "secrets", doc_new_list());
    doc_set(ask, "blobs", doc_new_list());
    DOC_EACH (s, m->want->secrets)
        doc_add_text(ids, s->key);
    TRY(node_call(&have, m->node, "store.have", ask, f->x->cancel));
    DOC_EACH (t, doc_path(have, "missing.trees"))
        TRY(send_tree(f, m, t->text));
    DOC_EACH (s, doc_path(have, "missing.secrets"))
        TRY(send_secret(f, m, s->text));
    return NULL;
}

/* ---- certificates: the key is made on the node and stays there ---- */

static struct doc *leaf_args(const char *name, const struct doc *leaf)
{
    struct doc *args = doc_new_map();
    doc_set_text(args, "name", name);
    doc_set_int(args, "uid", doc_int(leaf, "owner", 0));
    doc_set_int(args, "gid", doc_int(leaf, "owner", 0));
    return args;
}

static struct err *deliver_leaf(struct fleet *f, struct member *m, const char *name)
{
    const struct doc *leaf = doc_get(m->want->leafs, name);
    OWN_DOC struct doc *reply = NULL;
    OWN_BUF struct buf cert = {0};
    TRY(act(&reply, f, m, "leaf.request", leaf_args(name, leaf)));
    const char *csr = doc_text(reply, "csr");
    if (!csr)
        return err_new(ERR_FAILED, "the node sent no certificate request");
    TRY(vault_issue_leaf(&cert, f->x->vault, leaf, csr));
    struct doc *args = leaf_args(name, leaf);
    doc_set_text(args, "certificate", buf_text(&cert));
    doc_set_text(args, "description", doc_text(leaf, "description"));
    return act(NULL, f, m, "leaf.install", args);
}

static struct err *deliver_leafs(struct fleet *f, struct member *m)
{
    const struct doc *leafs = doc_get(m->diff, "leafs");
    if (leafs->child)
        event_emit(f->x->events, EVENT_STEP, m->host->name, "issue %zu certificates", doc_len(leafs));
    DOC_EACH (l, leafs)
        TRY_CTX(deliver_leaf(f, m, doc_text(l, "name")), "certificate %s", doc_text(l, "name"));
    return NULL;
}

/* ---- the generation ---- */

struct err *deliver_runtime(struct fleet *f, struct member *m, const char *name, const char *text)
{
    struct doc *args = doc_new_map();
    doc_set_text(args, "name", name);
    doc_set_text(args, "text", text);
    return err_wrap(act(NULL, f, m, "runtime.put", args), "runtime file %s", name);
}

static struct err *deliver_runtime_of(struct fleet *f, struct member *m, const struct doc *files)
{
    DOC_EACH (v, files)
        if (doc_list_has(doc_get(m->diff, "runtime"), v->key))
            TRY(deliver_runtime(f, m, v->key, v->text));
    return NULL;
}

struct err *deliver_generation(struct fleet *f, struct member *m)
{
    TRY(deliver_missing(f, m));
    TRY(deliver_leafs(f, m));
    TRY(deliver_runtime_of(f, m, m->want->runtime));
    TRY(deliver_runtime_of(f, m, m->want->initial));
    if (!doc_bool(m->diff, "activate", false))
        return NULL;
    struct doc *args = doc_new_map();
    OWN_DOC struct doc *reply = NULL;
    doc_set(args, "manifest", doc_clone(m->want->manifest));
    doc_set(args, "inline", doc_clone(m->want->texts));
    TRY(act(&reply, f, m, "generation.put", args));
    if (!str_eq(doc_text(reply, "digest"), m->want->digest))
        return err_new(ERR_UNTRUSTED, "the node wrote generation %s, not %s",
                       doc_text(reply, "digest") ? doc_text(reply, "digest") : "?", m->want->digest);
    doc_set_int(m->diff, "number", doc_int(reply, "generation", 0));
    return NULL;
}

/* ---- activation ---- */

#define JOURNAL_LINES 12 /* systemd's own last words on a restart are about five */

/* The last lines of the failed units' journals, behind the error's own text. */
static struct err *with_journal(struct err *e, const struct doc *reply)
{
    OWN_BUF struct buf text = {0};
    DOC_EACH (u, doc_path(reply, "error.units")) {
        const char *log = doc_text(u, "log");
        size_t n = log ? strlen(log) : 0, from = n;
        for (int lines = 0; from > 0 && lines <= JOURNAL_LINES; from--)
            lines += log[from - 1] == '\n';
        err_ignore(buf_fmt(&text, "\njournal of %s:\n%s", doc_text(u, "name"), log ? log + from : ""));
    }
    if (!text.len)
        return e;
    struct err *all = err_new(err_kind(e), "%s%s", err_text(e), buf_text(&text));
    if (err_hint_text(e))
        all = err_hint(all, "%s", err_hint_text(e));
    err_free(e);
    return all;
}

/* The import beside an activation. */
struct beside {
    struct fleet *f;
    struct member *m;
    const char *unit; /* which the import needs */
    pthread_t thread;
    bool started;
    struct err *failed;
};

static void *import_main(void *arg)
{
    struct beside *b = arg;
    b->failed = images_import(b->f, b->m);
    return NULL;
}

/* Without a thread there is no haste: images_deliver() does it. */
static void on_event(void *arg, const struct doc *event)
{
    struct beside *b = arg;
    bool ready = str_eq(doc_text(event, "unit"), b->unit) && str_eq(doc_text(event, "state"), "ready");
    if (ready && !b->started && doc_get(b->m->diff, "images")->child)
        b->started = pthread_create(&b->thread, NULL, import_main, b) == 0;
}

static struct err *activate(struct fleet *f, struct member *m, struct doc *args)
{
    const struct doc *store = doc_get(release_find(&f->x->release, "imageStore"), "imageStore");
    struct beside b = {.f = f, .m = m, .unit = doc_text(store, "unit")};
    struct wire_events events = {on_event, &b};
    struct err *e = node_watch(&m->done, m->node, "generation.activate", args, &events, NULL); /* as act() */
    if (b.started)
        pthread_join(b.thread, NULL);
    if (e) { /* it took the runtime away from under the import */
        err_free(b.failed);
        return err_wrap(with_journal(e, m->done), "activate");
    }
    return b.failed;
}

struct err *deliver_activate(struct fleet *f, struct member *m)
{
    if (!doc_bool(m->diff, "activate", false))
        return NULL;
    TRY(cancel_check(f->x->cancel));
    event_emit(f->x->events, EVENT_STEP, m->host->name, "activate generation %.12s", m->want->digest);
    struct doc *args = doc_new_map();
    doc_set_int(args, "generation", doc_int(m->diff, "number", 0));
    doc_set_text(args, "digest", m->want->digest);
    doc_set_text(args, "release", bundle_digest(f->x->bundles[0]));
    TRY(activate(f, m, args));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "generation %.12s is active", m->want->digest);
    return NULL;
}
