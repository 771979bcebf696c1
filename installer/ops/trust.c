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

/* Asks one host after the other: a person answers. */
static struct err *pin(struct buf *known, struct doc *pinned, const struct run *r, const struct host *h,
                       ops_confirm confirm, void *self)
{
    struct ssh_target t = {.name = h->name, .address = h->address, .port = h->port, .user = h->user};
    __attribute__((cleanup(ssh_host_key_done))) struct ssh_host_key k = {0};
    TRY(ssh_host_key(&k, &t, r->cancel));
    if (!confirm(self, h->name, h->address, k.type, k.fingerprint))
        return NULL;
    TRY(buf_fmt(known, "%s%s\n", known->len && known->at[known->len - 1] != '\n' ? "\n" : "", k.line));
    struct doc *row = doc_add(pinned, doc_new_map());
    doc_set_text(row, "host", h->name);
    doc_set_text(row, "type", k.type);
    doc_set_text(row, "fingerprint", k.fingerprint);
    return NULL;
}

static const char *host_name(const void *arg, size_t i)
{
    const struct cluster *c = arg;
    return c->hosts[i].name;
}

struct err *ops_trust_hosts(struct doc **ret, const struct run *r, const char *name, ops_confirm confirm, void *self)
{
    OWN_CONTEXT struct context x = {.events = r->events, .cancel = r->cancel};
    OWN_BUF struct buf known = {0};
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *pinned = doc_set(d, "pinned", doc_new_list()), *kept = doc_set(d, "kept", doc_new_list());
    TRY(context_spec(&x, r->file));
    if (file_exists(AT_FDCWD, x.known_hosts))
        TRY(file_read(&known, AT_FDCWD, x.known_hosts));
    if (name && !cluster_host(x.cluster, name))
        return err_hint(err_new(ERR_USAGE, "%s has no host \"%s\"", r->file, name), "add it under spec.hosts first");
    OWN_FREE struct err **errors = calloc(x.cluster->n_hosts, sizeof(struct err *));
    if (!errors)
        return err_os(ENOMEM, "hosts");
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        const struct host *h = &x.cluster->hosts[i];
        if (name && !str_eq(name, h->name))
            continue;
        if (is_pinned(buf_text(&known), h))
            doc_add_text(kept, h->name);
        else
            errors[i] = pin(&known, pinned, r, h, confirm, self);
        if (errors[i] && err_kind(errors[i]) == ERR_CANCELLED)
            break;
    }
    struct err *e = pool_join(errors, x.cluster->n_hosts, host_name, x.cluster);
    if (pinned->child) { /* what was confirmed is kept, whatever became of the others */
        struct err *why = file_replace(AT_FDCWD, x.known_hosts, known.at, known.len, 0644);
        if (why) {
            err_free(e);
            return why;
        }
    }
    *ret = TAKE(d);
    return e;
}
