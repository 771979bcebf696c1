#include "cli/verbs.h"

#include "base/str.h"
#include "cli/cache.h"
#include "supply/fetch.h"

#include <errno.h>
#include <string.h>

void net_choose(struct net_choice *ret, struct cli *x)
{
    ret->opts = (struct net_opts){.mirrors = ret->mirrors,
                                  .n_mirrors = args_all(&x->args, "mirror", ret->mirrors),
                                  .cas = ret->cas,
                                  .n_cas = args_all(&x->args, "ca", ret->cas),
                                  .proxy = args_text(&x->args, "proxy", NULL),
                                  .cancel = &x->cancel};
}

static void says(void *self, enum fetch_state state, const char *id, const char *text, uint64_t done, uint64_t total)
{
    const struct events *events = ((struct cli *)self)->run.events;
    if (state == FETCH_RUNS)
        event_progress(events, id, text, done, total);
    else
        event_emit(events, state == FETCH_DONE ? EVENT_DONE : EVENT_FAILED, id, "%s", text);
}

/* --lock, or that of the profile in the cache; in new memory. */
static struct err *choose_lock(char **ret, const struct args *a, const char *cache)
{
    const char *lock = args_text(a, "lock", NULL), *profile = args_text(a, "profile", "minimal");
    if (lock && args_has(a, "profile"))
        return err_hint(err_new(ERR_USAGE, "--lock and --profile: one lock at a time"), "leave one of them out");
    if (strchr(profile, '/') || str_ends(profile, ".yaml"))
        return err_hint(err_new(ERR_USAGE, "--profile %s: a profile's name is wanted", profile),
                        "name the lock itself: --lock FILE");
    *ret = lock ? strdup(lock) : str_fmt("%s/lock/%s.lock.json", cache, profile);
    return *ret ? NULL : err_os(ENOMEM, "lock");
}

struct err *run_bundle_fetch(struct cli *x, struct doc **ret)
{
    OWN_FREE char *cache = NULL, *lock = NULL;
    OWN_NET struct net net = {0};
    struct net_choice choice;
    TRY(cache_choose(&cache, &x->args));
    TRY(choose_lock(&lock, &x->args, cache));
    net_choose(&choice, x);
    TRY(net_open(&net, &choice.opts));
    return bundle_fetch(ret, &(struct fetch_opts){lock, cache, &net, args_text(&x->args, "auth", NULL)}, says, x);
}

void show_bundle_fetch(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    if (!doc_get(d, "entries")) /* it was not got so far */
        return;
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "%s: %s of %s entries were in %s already; fetched %zu, %s\n", doc_text(d, "lock"),
                  doc_text(d, "present"), doc_text(d, "entries"), doc_text(d, "cache"), doc_len(doc_get(d, "files")),
                  size);
    DOC_EACH (v, doc_get(d, "missing"))
        (void)fprintf(out, "missing %s: no address; %s makes it\n", doc_text(v, "id"), doc_text(v, "way"));
}
