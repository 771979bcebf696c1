#include "supply/upstream.h"

#include "doc/schema.h"
#include "pack/tree.h"
#include "supply/lock.h"

#include <string.h>

static struct err *check_member(const struct doc *v)
{
    struct err *bad = tree_check_path(v->text);
    if (!bad)
        return NULL;
    err_free(bad);
    return doc_err(ERR_USAGE, v, "E_PATH: \"%s\" is not a plain relative path", v->text);
}

static struct err *check_url(const struct doc *v)
{
    struct err *e = lock_check_url(v->text, str_starts(v->text, "oci://") ? "oci" : "file");
    if (!e)
        return NULL;
    struct err *at = doc_err(ERR_USAGE, v, "%s", err_text(e));
    err_free(e);
    return at;
}

static struct err *check_evidence(const struct doc *v)
{
    bool gpg = str_eq(doc_text(v, "type"), "gpg");
    if (!gpg && !str_eq(doc_text(v, "type"), "sha256sums"))
        return err_hint(
            doc_err(ERR_USAGE, doc_get(v, "type"), "evidence of the unknown type \"%s\"", doc_text(v, "type")),
            "sha256sums or gpg; without `evidence` none is looked for");
    if (gpg != !!doc_get(v, "keyring"))
        return doc_err(ERR_USAGE, v, gpg ? "a signature needs the `keyring` to check it" : "no key signs a list alone");
    return NULL;
}

static const struct field member_fields[] = {
    {"file", DOC_STRING, .required = true}, {"member", DOC_STRING, .required = true, .check = check_member}, {0}};
static const struct field evidence_fields[] = {{"type", DOC_STRING, .required = true},
                                               {"url", DOC_STRING, .required = true, .check = check_url},
                                               {"sums", DOC_STRING, .check = check_url},
                                               {"keyring", DOC_STRING, .check = check_member},
                                               {0}};
static const struct field item_fields[] = {
    {"file", DOC_STRING, .required = true},
    {"url", DOC_STRING, .required = true, .check = check_url},
    {"members", DOC_LIST, .map = member_fields},
    {"evidence", DOC_MAP, .map = evidence_fields, .check = check_evidence},
    {"untested", DOC_BOOL},
    {0},
};

static const struct doc *list_of(const struct part *part)
{
    return doc_get(doc_find(doc_get(part->definition, "versions"), "version", part->version), "upstream");
}

static struct err *check_item(const struct doc *v)
{
    TRY(schema_check(v, item_fields));
    bool oci = str_starts(doc_text(v, "url"), "oci://");
    if (oci && (doc_get(v, "members") || doc_get(v, "evidence")))
        return doc_err(ERR_USAGE, v, "an image has neither `members` nor `evidence`");
    return NULL;
}

struct err *upstream_check(const struct part *part)
{
    const struct doc *list = list_of(part);
    if (list && list->kind != DOC_LIST)
        return doc_err(ERR_USAGE, list, "upstream must be a list");
    DOC_EACH (v, list)
        TRY(check_item(v));
    return NULL;
}

struct err *upstream_find(const struct doc **ret, const struct doc **ret_member, const struct part *part,
                          const char *kind, const char *name, const struct doc *at)
{
    bool oci = strcmp(kind, "oci") == 0;
    DOC_EACH (v, list_of(part)) {
        *ret = v;
        *ret_member = doc_find(doc_get(v, "members"), "file", name);
        bool itself = str_eq(doc_text(v, "file"), name) && !doc_get(v, "members");
        if (str_starts(doc_text(v, "url"), "oci://") == oci && (*ret_member || itself))
            return NULL;
    }
    return err_hint(
        doc_err(ERR_USAGE, at, "nothing says where %s of %s %s is published", name, part->name, part->version),
        "`upstream` of that version in its definition, or scripts/payloads, which builds it");
}
