#include "cli/verbs.h"

#include "base/str.h"
#include "ops/ops.h"
#include "supply/delta.h"
#include "supply/split.h"

/* ---- split ---- */

struct err *run_bundle_split(struct cli *x, struct doc **ret)
{
    struct split_opts o = {
        .file = args_operand(&x->args, 0), .out = args_text(&x->args, "out", "."), .size = 4000000000};
    TRY(args_size(&x->args, "size", &o.size));
    return bundle_split(ret, &o, build_says, x);
}

void show_bundle_split(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    DOC_EACH (p, doc_get(d, "parts"))
        (void)fprintf(out, "%s  %s bytes\n", doc_text(p, "path"), doc_text(p, "size"));
    (void)fprintf(out, "%s in %zu part%s; their list, to be given in place of the bundle:\n%s\n", size,
                  doc_len(doc_get(d, "parts")), doc_len(doc_get(d, "parts")) == 1 ? "" : "s", doc_text(d, "path"));
}

/* ---- held, delta, join ---- */

struct err *run_bundle_held(struct cli *x, struct doc **ret)
{
    return ops_held(ret, &x->run);
}

/* Both verbs take one file, its bases and a name for what they make. */
static struct err *weave(struct doc **ret, struct cli *x,
                         struct err *(*work)(struct doc **, const struct delta_opts *, build_progress, void *))
{
    OWN_KEYS struct keys keys = {0};
    const char *bases[ARGS_MAX];
    struct delta_opts o = {.file = args_operand(&x->args, 0),
                           .bases = bases,
                           .n_bases = args_all(&x->args, "base", bases),
                           .out = args_text(&x->args, "out", NULL)};
    if (!o.n_bases || !o.out)
        return err_hint(err_new(ERR_USAGE, "%s needs --base FILE and --out FILE", x->verb->name), "caisson %s --help",
                        x->verb->name);
    TRY(keys_choose(&keys, x, o.file));
    o.trust = keys.at;
    o.n_trust = keys.n;
    return work(ret, &o, build_says, x);
}

struct err *run_bundle_delta(struct cli *x, struct doc **ret)
{
    return weave(ret, x, bundle_delta);
}

void show_bundle_delta(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "made %s, %s: %s members; the bases have the other %s\nrelease %s\n", doc_text(d, "path"), size,
                  doc_text(d, "members"), doc_text(d, "missing"), doc_text(d, "digest"));
}

struct err *run_bundle_join(struct cli *x, struct doc **ret)
{
    return weave(ret, x, bundle_join);
}

void show_bundle_join(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "made %s, %s in %s members, %s of them out of the bases\nrelease %s\n", doc_text(d, "path"),
                  size, doc_text(d, "members"), doc_text(d, "reused"), doc_text(d, "digest"));
}
