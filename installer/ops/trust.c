#include "ops/ops.h"

#include "base/file.h"
#include "base/str.h"
#include "ops/context.h"
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

static struct err *pin(struct buf *known, struct doc *pinned, const struct run *r, const struct host *h,
                       ops_confirm confirm, void *self)
{
    struct ssh_target t = {.name = h->name, .address = h->address, .port = h->port, .user = h->user};
    __attribute__((cleanup(ssh_host_key_done))) struct ssh_host_key k = {0};
    TRY_CTX(ssh_host_key(&k, &t, r->cancel), "%s", h->name);
    if (!confirm(self, h->name, h->address, k.type, k.fingerprint))
        return NULL;
    TRY(buf_fmt(known, "%s%s\n", known->len && known->at[known->len - 1] != '\n' ? "\n" : "", k.line));
    struct doc *row = doc_add(pinned, doc_new_map());
    doc_set_text(row, "host", h->name);
    doc_set_text(row, "type", k.type);
    doc_set_text(row, "fingerprint", k.fingerprint);
    return NULL;
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
        return err_new(ERR_USAGE, "%s has no host \"%s\"", r->file, name);
    for (size_t i = 0; i < x.cluster->n_hosts; i++) {
        const struct host *h = &x.cluster->hosts[i];
        if (name && !str_eq(name, h->name))
            continue;
        if (is_pinned(buf_text(&known), h))
            doc_add_text(kept, h->name);
        else
            TRY(pin(&known, pinned, r, h, confirm, self));
    }
    if (pinned->child)
        TRY(file_replace(AT_FDCWD, x.known_hosts, known.at, known.len, 0644));
    *ret = TAKE(d);
    return NULL;
}
