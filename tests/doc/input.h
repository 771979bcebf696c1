/* What must hold for any bytes given to the parsers; run by the fuzz targets and, over the corpus, by
 * corpus_test. */
#pragma once
#include "doc/doc.h"

#include <string.h>

/* Ends the process, so that a fuzzer sees it. */
static inline void must_hold(bool holds)
{
    if (!holds)
        abort();
}

/* An accepted tree has a canonical form that reads back as the same tree and the same bytes. */
static inline void tree_holds(const struct doc *d)
{
    OWN_BUF struct buf once = {0}, twice = {0};
    OWN_DOC struct doc *back = NULL, *copy = doc_clone(d);
    must_hold(doc_equal(d, copy));
    must_hold(!doc_json_write(&once, d));
    must_hold(!doc_json(&back, "canonical", once.at, once.len));
    must_hold(doc_equal(d, back));
    must_hold(!doc_json_write(&twice, back));
    must_hold(once.len == twice.len && memcmp(once.at, twice.at, once.len) == 0);
}

/* A refusal is the operator's to mend and says where. */
static inline void refusal_holds(struct err *e)
{
    must_hold(err_kind(e) == ERR_USAGE && strncmp(err_text(e), "in:", 3) == 0);
    err_free(e);
}

static inline void yaml_input(const void *p, size_t n)
{
    OWN_DOC struct doc *all = NULL, *one = NULL;
    struct err *e = doc_yaml_all(&all, "in", p, n);
    if (e)
        refusal_holds(e);
    else
        tree_holds(all);
    e = doc_yaml(&one, "in", p, n);
    must_hold(e || all); /* what is good alone is good in a stream */
    if (e)
        refusal_holds(e);
}

static inline void json_input(const void *p, size_t n)
{
    OWN_DOC struct doc *d = NULL;
    struct err *e = doc_json(&d, "in", p, n);
    if (e)
        refusal_holds(e);
    else
        tree_holds(d);
}
