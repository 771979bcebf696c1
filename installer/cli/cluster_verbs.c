#include "cli/verbs.h"

#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>

/* ---- init, validate ---- */

struct err *run_init(struct cli *x, struct doc **ret)
{
    return ops_init(ret, &x->run, args_text(&x->args, "name", NULL));
}

void show_init(FILE *out, const struct cli *x, const struct doc *d)
{
    DOC_EACH (v, doc_get(d, "made"))
        (void)fprintf(out, "made  %s\n", v->text);
    DOC_EACH (v, doc_get(d, "kept"))
        (void)fprintf(out, "kept  %s\n", v->text);
    (void)fprintf(out,
                  "next: edit %s, then  caisson validate,  caisson trust host,  caisson preflight,  caisson apply\n",
                  x->run.file);
}

struct err *run_validate(struct cli *x, struct doc **ret)
{
    return ops_validate(ret, &x->run, !args_has(&x->args, "no-bundle"));
}

void show_validate(FILE *out, const struct cli *x, const struct doc *d)
{
    size_t n = doc_len(doc_get(d, "warnings"));
    DOC_EACH (v, doc_get(d, "warnings"))
        (void)fprintf(out, "warning: %s\n", v->text);
    (void)fprintf(out, "%s is valid%s", x->run.file,
                  args_has(&x->args, "no-bundle") ? "; its release was not looked at" : "");
    if (n)
        (void)fprintf(out, ", %zu warning%s", n, n == 1 ? "" : "s");
    (void)fputs("\n", out);
}

/* ---- preflight ---- */

struct err *run_preflight(struct cli *x, struct doc **ret)
{
    return ops_preflight(ret, &x->run);
}

/* Result first, so that a column of "pass" shows what is not. */
static void show_check(FILE *out, const struct doc *h, const struct doc *c)
{
    const char *host = doc_text(h, "host");
    const char *result = doc_text(c, "result"), *value = doc_text(c, "value"), *want = doc_text(c, "want");
    bool pass = str_eq(result, "pass");
    (void)fprintf(out, "%-4s  %s: %s%s%s", result ? result : "?", host, doc_text(c, "id"), value ? ": " : "",
                  value ? value : "");
    if (!pass && want)
        (void)fprintf(out, ", wanted %s", want);
    (void)fputs(doc_bool(h, "simulated", false) ? " (simulated facts)\n" : "\n", out);
    if (!pass && doc_text(c, "fix"))
        (void)fprintf(out, "      fix: %s\n", doc_text(c, "fix"));
}

void show_preflight(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    size_t simulated = 0;
    int64_t passed = 0, failed = doc_int(d, "failed", 0), warned = doc_int(d, "warned", 0);
    DOC_EACH (h, doc_get(d, "hosts")) {
        simulated += doc_bool(h, "simulated", false);
        DOC_EACH (c, doc_get(h, "checks"))
            if (str_eq(doc_text(c, "result"), "pass"))
                passed++;
            else
                show_check(out, h, c);
    }
    (void)fprintf(out, "hosts: %zu; checks: %lld passed, %lld warned, %lld failed\n", doc_len(doc_get(d, "hosts")),
                  (long long)passed, (long long)warned, (long long)failed);
    if (simulated)
        (void)fprintf(out, "facts of %zu host%s are simulated\n", simulated, simulated == 1 ? "" : "s");
}

/* ---- kubeconfig ---- */

enum { HOURS_DEFAULT = 24, HOURS_MAX = 8760 };

static struct err *kubeconfig_write(struct doc **ret, const struct buf *config, const char *path)
{
    TRY_CTX(file_replace(AT_FDCWD, path, config->at, config->len, 0600), "kubeconfig");
    *ret = doc_new_map();
    doc_set_text(*ret, "written", path);
    return NULL;
}

struct err *run_kubeconfig(struct cli *x, struct doc **ret)
{
    OWN_SECRET_BUF struct buf config = {0};
    int64_t hours = HOURS_DEFAULT;
    const char *out = args_text(&x->args, "out", NULL);
    TRY(args_int(&x->args, "hours", 1, HOURS_MAX, &hours));
    TRY(ops_kubeconfig(&config, &x->run, args_text(&x->args, "via", NULL), (int)hours));
    if (out)
        return kubeconfig_write(ret, &config, out);
    if (x->json) /* kubectl reads JSON as well */
        return doc_yaml(ret, "kubeconfig", config.at, config.len);
    *ret = doc_new_text(buf_text(&config));
    return NULL;
}

void show_kubeconfig(FILE *out, const struct cli *x, const struct doc *d)
{
    if (d->kind == DOC_STRING)
        show_whole(out, x, d);
    else
        (void)fprintf(out, "wrote %s; try  kubectl --kubeconfig %s get nodes\n", doc_text(d, "written"),
                      doc_text(d, "written"));
}
