#include "cli/verbs.h"

#include "base/str.h"
#include "bundle/store.h"

#include <errno.h>
#include <string.h>

/* --store, else the place for a user's data; in new memory. */
static struct err *store_choose(char **ret, const struct args *a)
{
    const char *given = args_text(a, "store", NULL), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (given)
        *ret = strdup(given);
    else if (xdg && *xdg == '/')
        *ret = str_fmt("%s/caisson/store", xdg);
    else if (home && *home)
        *ret = str_fmt("%s/.local/share/caisson/store", home);
    else
        return err_new(ERR_USAGE, "no folder for the store: give --store DIR");
    return *ret ? NULL : err_os(ENOMEM, "store");
}

/* ---- ingest ---- */

static bool ingest_progress(void *self, uint64_t done, uint64_t total)
{
    struct cli *x = self;
    event_progress(x->run.events, NULL, "ingest", done, total);
    return !cancel_is_set(&x->cancel);
}

struct err *run_bundle_ingest(struct cli *x, struct doc **ret)
{
    OWN_KEYS struct keys keys = {0};
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_STRS struct strs warnings = {0};
    OWN_FREE char *store = NULL;
    TRY(store_choose(&store, &x->args));
    TRY(keys_choose(&keys, x, args_operand(&x->args, 0)));
    TRY(open_once(&b, x, &keys, &warnings));
    const struct store_opts o = {
        .store = store, .trust = keys.at, .n_trust = keys.n, .progress = ingest_progress, .self = x};
    TRY(store_ingest(ret, b, &o));
    doc_set_texts(*ret, "warnings", &warnings);
    return NULL;
}

void show_bundle_ingest(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "takenBytes", 0));
    (void)fprintf(out, "%s %s %s is in the store: %s blobs taken, %s; %s were there\nrelease %s\n%s\n",
                  doc_text(d, "product"), doc_text(d, "profile"), doc_text(d, "version"), doc_text(d, "taken"), size,
                  doc_text(d, "kept"), doc_text(d, "digest"), doc_text(d, "path"));
    DOC_EACH (v, doc_get(d, "replaced"))
        (void)fprintf(out, "note: blob sha256:%s was corrupt in the store and was replaced\n", v->text);
    DOC_EACH (v, doc_get(d, "warnings"))
        (void)fprintf(out, "warning: %s\n", v->text);
}

/* ---- list, remove ---- */

struct err *run_store_list(struct cli *x, struct doc **ret)
{
    OWN_FREE char *store = NULL;
    TRY(store_choose(&store, &x->args));
    return store_list(ret, store);
}

static void show_release(FILE *out, const struct doc *d)
{
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "%-12s %-12s %-12s %9s  %s  %s\n", doc_text(d, "product"), doc_text(d, "profile"),
                  doc_text(d, "version"), size, doc_text(d, "time"), doc_text(d, "digest"));
}

void show_store_list(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    DOC_EACH (v, doc_get(d, "releases"))
        show_release(out, v);
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "%zu releases, %s in %lld blobs: %s\n", doc_len(doc_get(d, "releases")), size,
                  (long long)doc_int(d, "blobs", 0), doc_text(d, "store"));
    str_size(size, (uint64_t)doc_int(d, "unused.bytes", 0));
    if (doc_int(d, "unused.blobs", 0))
        (void)fprintf(out,
                      "%s blobs of no release, %s: ingest what was interrupted again, or caisson bundle remove "
                      "--unused\n",
                      doc_text(d, "unused.blobs"), size);
}

struct err *run_bundle_remove(struct cli *x, struct doc **ret)
{
    OWN_FREE char *store = NULL;
    const char *digest = args_operand(&x->args, 0);
    if (!digest == !args_has(&x->args, "unused"))
        return err_hint(err_new(ERR_USAGE, "bundle remove needs DIGEST or --unused, one of the two"),
                        "caisson bundle list shows the releases of the store");
    TRY(store_choose(&store, &x->args));
    return digest ? store_remove(ret, store, digest) : store_remove_unused(ret, store);
}

void show_bundle_remove(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "removed %s%s%s blobs, %s\n", doc_get(d, "digest") ? doc_text(d, "digest") : "",
                  doc_get(d, "digest") ? " and " : "", doc_text(d, "blobs"), size);
}
