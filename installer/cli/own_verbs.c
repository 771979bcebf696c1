#include "cli/verbs.h"

#include "base/str.h"

#include <errno.h>

struct err *run_completion(struct cli *x, struct doc **ret)
{
    OWN_BUF struct buf out = {0};
    TRY(complete_text(&out, args_operand(&x->args, 0)));
    *ret = doc_new_text(buf_text(&out));
    return NULL;
}

/* The verb that `help VERB` or `VERB --help` is about; NULL: all. */
static struct err *help_about(const struct verb **ret, const struct args *a)
{
    OWN_FREE char *name = NULL;
    const char *first = args_operand(a, 0), *second = args_operand(a, 1);
    *ret = NULL;
    if (!first)
        return NULL;
    name = second ? str_fmt("%s %s", first, second) : str_fmt("%s", first);
    *ret = name ? verb_named(name) : NULL;
    if (*ret)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "there is no verb \"%s\"", name), "caisson help lists the verbs");
}

struct err *run_help(struct cli *x, struct doc **ret)
{
    OWN_BUF struct buf out = {0};
    const struct verb *about = x->asked;
    const char *first = args_operand(&x->args, 0);
    TRY(first && !args_operand(&x->args, 1) && !about ? help_group(&out, first) : NULL);
    if (!about && !out.len)
        TRY(help_about(&about, &x->args));
    if (!out.len)
        TRY(help_text(&out, about));
    *ret = doc_new_text(buf_text(&out));
    return NULL;
}

struct err *run_version(struct cli *x, struct doc **ret)
{
    (void)x;
    *ret = doc_new_map();
    doc_set_text(*ret, "version", CAISSON_VERSION);
    return NULL;
}

void show_version(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    (void)fprintf(out, "caisson %s\n", doc_text(d, "version"));
}

void show_whole(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    (void)fputs(d->text, out);
}
