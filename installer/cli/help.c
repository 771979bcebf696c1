#include "cli/args.h"

#include <string.h>

enum { HELP_COLUMN = 28 };

static struct err *opt_line(struct buf *out, const struct opt *o)
{
    char left[64];
    (void)snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                   o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    return buf_fmt(out, "%-*s  %s\n", HELP_COLUMN, left, o->help);
}

static struct err *opt_lines(struct buf *out, const struct opt *table)
{
    for (; table && table->name; table++)
        TRY(opt_line(out, table));
    return NULL;
}

static struct err *verb_line(struct buf *out, const struct verb *v)
{
    char left[64];
    (void)snprintf(left, sizeof left, "  %s %s", v->name, v->operands);
    return buf_fmt(out, "%-*s  %s\n", HELP_COLUMN, left, v->summary);
}

static struct err *help_all(struct buf *out)
{
    TRY(buf_str(out, "caisson: Kubernetes on bare metal, from one signed file, over SSH\n\n"));
    for (const struct verb *v = verbs; v->name; v++)
        TRY(verb_line(out, v));
    TRY(buf_str(out, "\nEvery verb takes:\n"));
    TRY(opt_lines(out, global_opts));
    return buf_str(out, "\nExit status: 0 done, 1 failed, 2 there is a difference (plan, bundle diff), 3 unreachable,\n"
                        "4 not trusted, 5 done in part, 6 refused, 64 wrong command line or file, 130 cancelled.\n");
}

struct err *help_text(struct buf *out, const struct verb *v)
{
    if (!v)
        return help_all(out);
    TRY(buf_fmt(out, "caisson %s [OPTION]...%s%s\n\n%s.\n\n", v->name, *v->operands ? " " : "", v->operands,
                v->summary));
    TRY(opt_lines(out, v->opts));
    TRY(opt_lines(out, global_opts));
    TRY(buf_str(out, "\nWhat stands in parentheses holds when an option is not given.\n"));
    return v->notes ? buf_fmt(out, "\n%s", v->notes) : NULL;
}

struct err *help_group(struct buf *out, const char *first)
{
    size_t n = strlen(first);
    for (const struct verb *v = verbs; v->name; v++)
        if (strncmp(v->name, first, n) == 0 && v->name[n] == ' ')
            TRY(verb_line(out, v));
    return NULL;
}
