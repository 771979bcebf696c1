#include "template_input.h"

#include "plan/template.h"

#include <stdio.h>
#include <stdlib.h>

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "broken rule: %s\n", what);
    abort();
}

/* True when there was no error. */
static bool filled(struct err *e)
{
    demand(!e || err_kind(e) == ERR_USAGE, "what cannot be filled is a usage error");
    err_free(e);
    return !e;
}

static void run_tree(const struct doc *tree, const struct doc *vars)
{
    OWN_DOC struct doc *one = NULL, *two = NULL;
    OWN_BUF struct buf bytes = {0};
    if (!filled(template_tree(&one, tree, vars)))
        return;
    demand(one && template_tree(&two, tree, vars) == NULL && doc_equal(one, two), "filling is pure");
    err_ignore(doc_json_write(&bytes, one)); /* trees deeper than JSON's limit are refused */
}

void template_input_run(const void *p, size_t n)
{
    OWN_DOC struct doc *d = NULL;
    OWN_BUF struct buf text = {0};
    struct err *e = n ? doc_yaml(&d, "input", p, n) : NULL;
    err_ignore(e); /* what is no YAML is not our matter */
    if (!d)
        return;
    const struct doc *vars = doc_get(d, "vars"), *tree = doc_get(d, "tree");
    const char *source = doc_text(d, "text");
    if (source)
        (void)filled(template_text(&text, source, vars, d));
    run_tree(tree ? tree : d, vars);
}
