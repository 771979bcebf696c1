#include "ops/deliver.h"

#include "base/file.h"
#include "bundle/image.h"
#include "plan/template.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* ---- packages and secrets ---- */

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
    uint64_t size = 0;
    char human[24];
    if (!artifact || !bundle_blob(x->bundle, digest, &size))
        return err_new(ERR_FAILED, "the bundle has no package %s", digest);
    struct doc *args = doc_new_map();
    doc_set_text(args, "digest", digest);
    doc_set_int(args, "size", (int64_t)size);
    doc_set_int(args, "rawMax", doc_int(artifact, "rawSize", 0));
    str_size(human, size);
    event_emit(x->events, EVENT_STEP, m->host->name, "send package %s, %s", doc_text(artifact, "name"), human);
    struct blob_source source = {x->bundle, digest};
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
    TRY(node_call(&reply, m->node, "leaf.request", leaf_args(name, leaf), f->x->cancel));
    const char *csr = doc_text(reply, "csr");
    if (!csr)
        return err_new(ERR_FAILED, "the node sent no certificate request");
    TRY(vault_issue_leaf(&cert, f->x->vault, leaf, csr));
    struct doc *args = leaf_args(name, leaf);
    doc_set_text(args, "certificate", buf_text(&cert));
    doc_set_text(args, "description", doc_text(leaf, "description"));
    return node_call(NULL, m->node, "leaf.install", args, f->x->cancel);
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
    return err_wrap(node_call(NULL, m->node, "runtime.put", args, f->x->cancel), "runtime file %s", name);
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
    TRY(node_call(&reply, m->node, "generation.put", args, f->x->cancel));
    if (!str_eq(doc_text(reply, "digest"), m->want->digest))
        return err_new(ERR_UNTRUSTED, "the node wrote generation %s, not %s",
                       doc_text(reply, "digest") ? doc_text(reply, "digest") : "?", m->want->digest);
    doc_set_int(m->diff, "number", doc_int(reply, "generation", 0));
    return NULL;
}

/* ---- images ---- */

/* The runtime's own command with its tree's path filled in: data of a component, not of this program. */
static struct err *image_command(struct doc **ret, const struct context *x, const char *which)
{
    const struct doc *component = release_find(&x->release, "imageStore");
    const struct doc *argv = doc_get(doc_get(component, "imageStore"), which);
    if (!argv)
        return err_new(ERR_FAILED, "no component of the release says how images get into the runtime");
    return template_tree(ret, argv, x->vars);
}

struct image_source {
    const struct bundle *bundle;
    const char *const *names;
    size_t n;
};

static struct err *produce_images(void *arg, int fd)
{
    const struct image_source *s = arg;
    return bundle_images_write(s->bundle, s->names, s->n, fd);
}

static struct err *run_on_node(struct doc **ret, struct fleet *f, struct member *m, struct doc *argv,
                               const struct wire_body *body)
{
    struct doc *args = doc_new_map();
    doc_set(args, "argv", argv);
    doc_set_int(args, "timeoutMs", 600000);
    OWN_DOC struct doc *reply = NULL;
    TRY(node_send(&reply, m->node, "run", args, body, f->x->cancel));
    if (doc_int(reply, "exit", -1) != 0)
        return err_new(ERR_FAILED, "exit %lld: %s", (long long)doc_int(reply, "exit", -1),
                       doc_text(reply, "stderr") ? doc_text(reply, "stderr") : "");
    *ret = TAKE(reply);
    return NULL;
}

static struct err *missing_images(struct strs *ret, const struct member *m)
{
    DOC_EACH (i, doc_get(m->diff, "images")) {
        OWN_FREE char *name = strndup(i->text, strcspn(i->text, "@"));
        TRY(name ? strs_add(ret, name) : err_os(ENOMEM, "image"));
    }
    return NULL;
}

static struct err *import(struct fleet *f, struct member *m)
{
    OWN_STRS struct strs list = {0};
    OWN_DOC struct doc *argv = NULL;
    OWN_DOC struct doc *reply = NULL;
    uint64_t size = 0;
    char human[24];
    TRY(missing_images(&list, m));
    const char *const *names = (const char *const *)list.at;
    TRY(bundle_images_size(&size, f->x->bundle, names, list.n));
    str_size(human, size);
    event_emit(f->x->events, EVENT_STEP, m->host->name, "import %zu images, %s", list.n, human);
    TRY(image_command(&argv, f->x, "import"));
    struct image_source source = {f->x->bundle, names, list.n};
    struct wire_body body = {.produce = produce_images, .arg = &source};
    TRY(run_on_node(&reply, f, m, TAKE(argv), &body));
    m->imported = true;
    return NULL;
}

/* The import alone says success for an image with a missing layer: what the runtime calls complete decides.
 */
static struct err *check_complete(struct fleet *f, struct member *m, const struct strs *names)
{
    OWN_DOC struct doc *argv = NULL;
    OWN_DOC struct doc *reply = NULL;
    TRY(image_command(&argv, f->x, "complete"));
    TRY(run_on_node(&reply, f, m, TAKE(argv), NULL));
    const char *complete = doc_text(reply, "stdout");
    for (size_t i = 0; i < names->n; i++) {
        const char *at = complete ? strstr(complete, names->at[i]) : NULL;
        size_t n = strlen(names->at[i]);
        if (!at || (at[n] && !strchr("\n \t", at[n])))
            return err_hint(
                err_new(ERR_FAILED, "image %s is not complete in the runtime after its import", names->at[i]),
                "look at the free space of /var/lib/containerd, then apply again");
    }
    return NULL;
}

struct err *deliver_images(struct fleet *f, struct member *m)
{
    OWN_STRS struct strs names = {0};
    TRY(missing_images(&names, m));
    if (!names.n)
        return NULL;
    if (!m->imported)
        TRY_CTX(import(f, m), "import images");
    TRY_CTX(check_complete(f, m, &names), "check images");
    struct doc *args = doc_new_map();
    doc_set(args, "names", doc_clone(doc_get(m->want->manifest, "images")));
    doc_set_bool(args, "replace", true);
    TRY(node_call(NULL, m->node, "image.recorded", args, f->x->cancel));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "%zu images imported", names.n);
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
    b->failed = import(b->f, b->m);
    return NULL;
}

/* Without a thread there is no haste: deliver_images() does it. */
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
    struct err *e = node_watch(&m->done, m->node, "generation.activate", args, &events, f->x->cancel);
    if (b.started)
        pthread_join(b.thread, NULL);
    if (e) { /* it took the runtime away from under the import */
        err_free(b.failed);
        return err_wrap(with_journal(e, m->done), "activate");
    }
    return err_wrap(b.failed, "import images");
}

struct err *deliver_activate(struct fleet *f, struct member *m)
{
    if (!doc_bool(m->diff, "activate", false))
        return NULL;
    event_emit(f->x->events, EVENT_STEP, m->host->name, "activate generation %.12s", m->want->digest);
    struct doc *args = doc_new_map();
    doc_set_int(args, "generation", doc_int(m->diff, "number", 0));
    doc_set_text(args, "digest", m->want->digest);
    doc_set_text(args, "release", bundle_digest(f->x->bundle));
    TRY(activate(f, m, args));
    event_emit(f->x->events, EVENT_DONE, m->host->name, "generation %.12s is active", m->want->digest);
    return NULL;
}
