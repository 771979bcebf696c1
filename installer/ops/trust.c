#include "ops/ops.h"

#include "base/file.h"
#include "base/str.h"
#include "ops/context.h"
#include "run/pool.h"
#include "ssh/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* True when known_hosts has a line for the host already: pinned keys are never replaced by this verb. */
static bool is_pinned(const char *known, const struct host *h)
{
    OWN_FREE char *plain = str_fmt("%s ", h->address);
    OWN_FREE char *with_port = str_fmt("[%s]:%d ", h->address, h->port);
    const char *want = h->port == 22 ? plain : with_port;
    for (const char *line = known; want && line && *line; line = strchr(line, '\n'), line += line ? 1 : 0)
        if (str_starts(line, want))
            return true;
    return h->host_key != NULL;
}

/* What one run looks at: the hosts without a pinned key, and the key that each shows. */
struct asked {
    const struct run *r;
    const struct cluster *c;
    bool *wanted;
    struct ssh_host_key *keys;
    struct err **errors;
};

static void asked_done(struct asked *a)
{
    for (size_t i = 0; a->keys && a->errors && i < a->c->n_hosts; i++) {
        ssh_host_key_done(&a->keys[i]);
        err_free(a->errors[i]);
    }
    free(a->wanted);
    free(a->keys);
    free(a->errors);
}

static struct err *asked_init(struct asked *a, const struct run *r, const struct cluster *c)
{
    *a = (struct asked){.r = r, .c = c};
    a->wanted = calloc(c->n_hosts, sizeof *a->wanted);
    a->keys = calloc(c->n_hosts, sizeof *a->keys);
    a->errors = calloc(c->n_hosts, sizeof *a->errors);
    return a->wanted && a->keys && a->errors ? NULL : err_os(ENOMEM, "hosts");
}

static struct err *ask_at(void *arg, size_t i)
{
    struct asked *a = arg;
    const struct host *h = &a->c->hosts[i];
    struct ssh_target t = {.name = h->name, .address = h->address, .port = h->port, .user = h->user};
    return a->wanted[i] ? ssh_host_key(&a->keys[i], &t, a->r->cancel) : NULL;
}

static struct err *pin(struct buf *known, struct doc *pinned, const char *name, const struct ssh_host_key *k)
{
    TRY(buf_fmt(known, "%s%s\n", known->len && known->at[known->len - 1] != '\n' ? "\n" : "", k->line));
    struct doc *row = doc_add(pinned, doc_new_map());
    doc_set_text(row, "host", name);
    doc_set_text(row, "type", k->type);
    doc_set_text(row, "fingerprint", k->fingerprint);
    return NULL;
}

/* Marks the hosts to ask; those with a pinned key are only named. */
static void choose(struct asked *a, struct doc *kept, const char *known, const char *name)
{
    for (size_t i = 0; i < a->c->n_hosts; i++) {
        const struct host *h = &a->c->hosts[i];
        if (name && !str_eq(name, h->name))
            continue;
        a->wanted[i] = !is_pinned(known, h);
        if (!a->wanted[i])
            doc_add_text(kept, h->name);
    }
}

static const char *host_name(const void *arg, size_t i)
{
    const struct cluster *c = arg;
    return c->hosts[i].name;
}

struct err *ops_trust_hosts(struct doc **ret, const struct run *r, const char *name, ops_confirm confirm, void *self)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN(asked_done) struct asked a = {0};
    OWN_BUF struct buf known = {0};
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *pinned = doc_set(d, "pinned", doc_new_list()), *kept = doc_set(d, "kept", doc_new_list());
    TRY(context_spec(&x, r->file));
    if (file_exists(AT_FDCWD, x.known_hosts))
        TRY(file_read(&known, AT_FDCWD, x.known_hosts));
    if (name && !cluster_host(x.cluster, name))
        return err_hint(err_new(ERR_USAGE, "%s has no host \"%s\"", r->file, name), "add it under spec.hosts first");
    TRY(asked_init(&a, r, x.cluster));
    choose(&a, kept, buf_text(&known), name);
    pool_run(x.cluster->n_hosts, POOL_DEFAULT, ask_at, &a, a.errors);
    TRY(cancel_check(r->cancel));
    for (size_t i = 0; i < x.cluster->n_hosts; i++) { /* one after the other: a person answers */
        const struct host *h = &x.cluster->hosts[i];
        const struct ssh_host_key *k = &a.keys[i];
        if (a.wanted[i] && !a.errors[i] && confirm(self, h->name, h->address, k->type, k->fingerprint))
            TRY(pin(&known, pinned, h->name, k));
    }
    if (pinned->child) /* what was confirmed is kept, whatever became of the others */
        TRY(file_replace(AT_FDCWD, x.known_hosts, known.at, known.len, 0644));
    *ret = TAKE(d);
    return pool_join(a.errors, x.cluster->n_hosts, host_name, x.cluster);
}
