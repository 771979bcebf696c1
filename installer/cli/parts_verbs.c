#include "cli/verbs.h"

#include "base/str.h"
#include "supply/split.h"

static bool says(void *self, const char *what, uint64_t done, uint64_t total)
{
    struct cli *x = self;
    event_progress(x->run.events, NULL, what, done, total);
    return !cancel_is_set(&x->cancel);
}

/* ---- split ---- */

struct err *run_bundle_split(struct cli *x, struct doc **ret)
{
    struct split_opts o = {
        .file = args_operand(&x->args, 0), .out = args_text(&x->args, "out", "."), .size = 4000000000};
    TRY(args_size(&x->args, "size", &o.size));
    return bundle_split(ret, &o, says, x);
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
