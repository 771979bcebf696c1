#include "cli/output.h"

#include "base/file.h"
#include "base/str.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

static struct err *write_out(char *p, size_t n)
{
    struct err *e = fd_write_all(STDOUT_FILENO, p, n);
    if (e && err_errno(e) == EPIPE) { /* `| head` has what it wanted */
        err_ignore(e);
        return NULL;
    }
    return err_wrap(e, "write the result");
}

static struct err *output_text(const struct cli *x, const struct doc *result)
{
    OWN_FREE char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return err_os(errno, "result");
    x->verb->show(out, x, result);
    if (fclose(out) != 0)
        return err_os(ENOMEM, "result");
    text_clean(text, n, 1);
    struct err *e = write_out(text, n);
    explicit_bzero(text, n); /* a kubeconfig goes this way */
    return e;
}

struct err *output_result(const struct cli *x, const struct doc *result)
{
    if (!x->json)
        return output_text(x, result);
    OWN_SECRET_BUF struct buf out = {0};
    TRY(doc_json_write(&out, result));
    TRY(buf_str(&out, "\n"));
    return write_out(out.at, out.len);
}

static struct err *error_json(struct buf *out, const struct err *e)
{
    OWN_DOC struct doc *d = doc_new_map();
    struct doc *inner = doc_set(d, "error", doc_new_map());
    char code[32];
    err_code(code, e);
    if (*code)
        doc_set_text(inner, "code", code);
    doc_set_text(inner, "kind", err_kind_name(err_kind(e)));
    doc_set_text(inner, "text", err_text(e));
    if (err_hint_text(e))
        doc_set_text(inner, "hint", err_hint_text(e));
    TRY(doc_json_write(out, d));
    return buf_str(out, "\n");
}

/* "error: " and the text, whose further lines (one a host) are set in below it. */
static struct err *error_plain(struct buf *out, const struct cli *x, const struct err *e)
{
    OWN_FREE char *text = strdup(err_text(e));
    OWN_FREE char *hint = err_hint_text(e) ? strdup(err_hint_text(e)) : NULL;
    char *save = NULL;
    if (!text)
        return err_os(ENOMEM, "error");
    text_clean(text, strlen(text), 1);
    if (hint)
        text_clean(hint, strlen(hint), 1);
    const char *red = x->color ? "\033[1;31m" : "", *bold = x->color ? "\033[1m" : "", *off = x->color ? "\033[0m" : "";
    const char *line = strtok_r(text, "\n", &save);
    TRY(buf_fmt(out, "%serror:%s %s\n", red, off, line ? line : ""));
    while ((line = strtok_r(NULL, "\n", &save)))
        TRY(buf_fmt(out, "       %s\n", line));
    return hint ? buf_fmt(out, "  %sfix:%s %s\n", bold, off, hint) : NULL;
}

void output_error(const struct cli *x, const struct err *e)
{
    OWN_BUF struct buf out = {0};
    struct err *why = x->json ? error_json(&out, e) : error_plain(&out, x, e);
    if (!why)
        why = fd_write_all(STDERR_FILENO, out.at, out.len);
    err_ignore(why); /* nowhere left to say it; the exit code does */
}
