/* Shared by the programs of this folder. */
#pragma once
#include "kube/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static inline void ok(struct err *e)
{
    if (e)
        print_error("%s\n", err_text(e));
    assert_null(e);
}

/* Frees `e` after checking its kind and a part of its text. */
static inline void fails(struct err *e, enum err_kind kind, const char *part)
{
    assert_non_null(e);
    if (err_kind(e) != kind || !strstr(err_text(e), part))
        print_error("%s: %s\n", err_kind_name(err_kind(e)), err_text(e));
    assert_int_equal(err_kind(e), kind);
    assert_non_null(strstr(err_text(e), part));
    err_free(e);
}

static inline struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    ok(doc_yaml(&d, "test", text, strlen(text)));
    return d;
}

static inline struct doc *named(const char *version, const char *kind, const char *ns, const char *name)
{
    struct doc *o = doc_new_map();
    doc_set_text(o, "apiVersion", version);
    doc_set_text(o, "kind", kind);
    struct doc *meta = doc_set(o, "metadata", doc_new_map());
    if (ns)
        doc_set_text(meta, "namespace", ns);
    doc_set_text(meta, "name", name);
    return o;
}
