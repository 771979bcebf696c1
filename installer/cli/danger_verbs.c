#include "cli/verbs.h"

#include "base/str.h"
#include "cli/ask.h"
#include "cluster/cluster.h"

#include <string.h>
#include <strings.h>

/* ---- trust host ---- */

struct trust {
    struct cli *x;
    const char *accept[ARGS_MAX];
    size_t n_accept;
    struct err *error; /* a question that was not answered */
    int left_out;
};

static bool is_accepted(const struct trust *t, const char *fingerprint)
{
    for (size_t i = 0; i < t->n_accept; i++)
        if (strcmp(t->accept[i], fingerprint) == 0)
            return true;
    return false;
}

/* Asks, unless fingerprints were given: then those and no others are meant. There is no way to say yes to all. */
static bool confirm(void *self, const char *host, const char *address, const char *type, const char *fingerprint)
{
    struct trust *t = self;
    char answer[16] = "";
    if (t->error)
        return false;
    if (is_accepted(t, fingerprint))
        return true;
    if (t->n_accept || !ask_can())
        event_emit(face_events(t->x->face), EVENT_NOTE, host, "%s has %s key %s", address, type, fingerprint);
    else
        t->error = ask_line(t->x, answer, sizeof answer, "%s  %s  %s key %s\n  trust it? [y/N] ", host, address, type,
                            fingerprint);
    bool yes = !t->error && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
    t->left_out += !yes;
    return yes;
}

static struct err *check_fingerprints(const struct trust *t)
{
    for (size_t i = 0; i < t->n_accept; i++)
        if (!str_starts(t->accept[i], "SHA256:"))
            return err_hint(
                err_new(ERR_USAGE, "--accept: \"%s\" is no fingerprint", t->accept[i]),
                "SHA256:... as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it on the machine");
    return NULL;
}

struct err *run_trust(struct cli *x, struct doc **ret)
{
    struct trust t = {.x = x};
    t.n_accept = args_all(&x->args, "accept", t.accept);
    TRY(check_fingerprints(&t));
    struct err *e = ops_trust_hosts(ret, &x->run, args_operand(&x->args, 0), confirm, &t);
    if (t.error) {
        err_ignore(e); /* it follows from the unanswered question */
        return t.error;
    }
    if (e || !t.left_out)
        return e;
    e = err_new(ERR_REFUSED, "%d host key%s not accepted", t.left_out, t.left_out == 1 ? " was" : "s were");
    return err_hint(e, "compare each with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its machine, then "
                       "caisson trust host HOST --accept SHA256:...");
}

void show_trust(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    DOC_EACH (v, doc_get(d, "pinned"))
        (void)fprintf(out, "pinned  %s  %s  %s\n", doc_text(v, "host"), doc_text(v, "type"),
                      doc_text(v, "fingerprint"));
    DOC_EACH (v, doc_get(d, "kept"))
        (void)fprintf(out, "kept    %s\n", v->text);
}

/* ---- reset ---- */

static struct err *confirm_reset(struct cli *x, const char *host)
{
    OWN(cluster_freep) struct cluster *c = NULL;
    char answer[256];
    if (args_has(&x->args, "yes"))
        return NULL;
    TRY(cluster_load(&c, x->run.file));
    if (!ask_can())
        return err_hint(err_new(ERR_USAGE, "reset asks first, and there is no terminal to ask on"),
                        "caisson reset --yes, when %s of cluster %s shall be wiped", host ? host : "every host",
                        c->name);
    TRY(ask_line(
        x, answer, sizeof answer,
        "This takes caisson, Kubernetes and its data off %s%s of cluster %s.\nType the cluster's name to go on: ",
        host ? "host " : "every host", host ? host : "", c->name));
    if (strcmp(answer, c->name) != 0)
        return err_new(ERR_REFUSED, "that is not the cluster's name; nothing was touched");
    return NULL;
}

struct err *run_reset(struct cli *x, struct doc **ret)
{
    const char *host = args_operand(&x->args, 0);
    TRY(confirm_reset(x, host));
    return ops_reset(ret, &x->run, host);
}

void show_reset(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    DOC_EACH (h, doc_get(d, "hosts"))
        if (doc_get(h, "removed"))
            (void)fprintf(out, "%s: %lld paths, units and links removed\n", doc_text(h, "host"),
                          (long long)doc_int(h, "removed", 0));
}
