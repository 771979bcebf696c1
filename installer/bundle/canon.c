#include "bundle/canon.h"

#include "base/str.h"
#include "bundle/format.h"

#include <string.h>

enum { DEPTH_MAX = 64, KEY_MAX = 256 };

static struct err *check_values(const char *what, const struct doc *d, int depth)
{
    if (depth > DEPTH_MAX)
        return err_new(ERR_UNTRUSTED, "E_JSON: %s: more than %d levels", what, DEPTH_MAX);
    if (d->key && strlen(d->key) > KEY_MAX)
        return err_new(ERR_UNTRUSTED, "E_JSON: %s: a key of more than %d bytes", what, KEY_MAX);
    if (d->kind == DOC_REAL)
        return err_new(ERR_UNTRUSTED, "E_JSON: %s: %s is not an integer", what, d->text);
    if (d->kind == DOC_INT && (d->num > FORMAT_INT_MAX || d->num < -FORMAT_INT_MAX))
        return err_new(ERR_UNTRUSTED, "E_JSON: %s: %s is beyond 2^53", what, d->text);
    DOC_EACH (v, d)
        TRY(check_values(what, v, depth + 1));
    return NULL;
}

struct err *canon_parse(struct doc **ret, const char *what, const struct buf *bytes)
{
    OWN_DOC struct doc *d = NULL;
    OWN_BUF struct buf again = {.max = 2 * bytes->len + 64};
    struct err *e = doc_json(&d, what, bytes->at, bytes->len);
    if (e)
        return err_as(err_wrap(e, "E_JSON"), ERR_UNTRUSTED);
    TRY(check_values(what, d, 1));
    e = doc_json_write(&again, d);
    if (e || again.len != bytes->len || memcmp(again.at, bytes->at, again.len) != 0) {
        err_free(e);
        return err_new(ERR_UNTRUSTED, "E_JSON: %s is not in canonical form", what);
    }
    *ret = TAKE(d);
    return NULL;
}
