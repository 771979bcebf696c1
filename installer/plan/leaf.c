#include "plan/leaf.h"

#include "crypt/digest.h"
#include "plan/template.h"

#include <string.h>

struct err *leaf_render(struct doc *leafs, struct doc *brief, const struct doc *entry, const struct doc *vars,
                        const struct doc *authorities)
{
    OWN_DOC struct doc *leaf = NULL;
    TRY(template_tree(&leaf, entry, vars));
    doc_remove(leaf, "roles");
    const char *name = doc_text(leaf, "name"), *ca = doc_text(leaf, "ca");
    const char *issuer = ca ? doc_text(authorities, ca) : NULL;
    if (!name || !issuer || !doc_text(leaf, "cn"))
        return doc_err(ERR_USAGE, entry, "a certificate has a name, a cn, and a ca that the cluster has");
    char hex[DIGEST_HEX];
    TRY(digest_hex(hex, issuer, strlen(issuer)));
    doc_set_text(leaf, "issuer", hex);
    OWN_BUF struct buf bytes = {0};
    TRY(doc_json_write(&bytes, leaf));
    TRY(digest_hex(hex, bytes.at, bytes.len));
    struct doc *row = doc_add(brief, doc_new_map());
    doc_set_text(row, "name", name);
    doc_set_text(row, "description", hex);
    doc_set_text(leaf, "description", hex);
    doc_set(leafs, name, TAKE(leaf));
    return NULL;
}
