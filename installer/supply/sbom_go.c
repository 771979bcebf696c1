#include "supply/sbom_private.h"

#include "base/str.h"
#include "supply/purl.h"

#include <errno.h>
#include <string.h>

/* Who answers for a Go module, by its path: "github.com/owner", "k8s.io". */
static struct err *add_module_supplier(struct doc *thing, const char *path)
{
    static const char *const shared[] = {"github.com/", "gitlab.com/", "bitbucket.org/", "codeberg.org/"};
    size_t n = strcspn(path, "/");
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (str_starts(path, shared[i]))
            n += 1 + strcspn(path + n + 1, "/");
    OWN_FREE char *name = str_eq(path, "stdlib") ? strdup("golang.org") : strndup(path, n);
    if (!name)
        return err_os(ENOMEM, "module");
    doc_set_text(doc_set(thing, "supplier", doc_new_map()), "name", name);
    return NULL;
}

/* A library with its purl; `ref` is its reference. */
static struct err *add_library(struct sbom *s, const char *ref, const struct doc *module)
{
    static const char *const keys[] = {"sum", "replaces", "folder"};
    static const struct owner nobody = {"", ""};
    const char *path = doc_text(module, "path"), *version = doc_text(module, "version");
    OWN_BUF struct buf purl = {0};
    OWN_DOC struct doc *thing = sbom_thing("library", ref, path, &nobody);
    doc_set_text(thing, "version", version ? version : "");
    TRY(add_module_supplier(thing, path));
    if (version && *version != '(') { /* "(devel)": not published, so no scanner knows it */
        TRY(purl_golang(&purl, path, version));
        doc_set_text(thing, "purl", buf_text(&purl));
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        OWN_FREE char *name = str_fmt("caisson:go:%s", keys[i]);
        if (name && doc_text(module, keys[i]))
            sbom_property(thing, name, doc_text(module, keys[i]));
    }
    return sbom_add(s, SBOM_LIBRARIES, TAKE(thing));
}

/* One entry for a module of one version, however many programs have it; they must agree on its bytes. */
static struct err *add_module(struct sbom *s, struct doc *depends, const struct doc *module)
{
    const char *version = doc_text(module, "version"), *sum = doc_text(module, "sum");
    OWN_FREE char *ref = str_fmt("golang/%s@%s", doc_text(module, "path"), version ? version : "");
    if (!ref)
        return err_os(ENOMEM, "module");
    if (!doc_list_has(depends, ref))
        doc_add_text(depends, ref);
    const struct doc *known = doc_get(s->sums, ref);
    if (known && *known->text && sum && strcmp(known->text, sum) != 0)
        return err_new(ERR_UNTRUSTED, "E_GOINFO: module %s has sum %s here and %s in another program", ref + 7, sum,
                       known->text);
    if (!known || !*known->text)
        doc_set_text(s->sums, ref, sum ? sum : "");
    return known ? NULL : add_library(s, ref, module);
}

/* The standard library, under the name that scanners know: pkg:golang/stdlib@1.26.8 for go1.26.8. */
static struct err *add_stdlib(struct sbom *s, struct doc *depends, const char *go)
{
    OWN_DOC struct doc *module = doc_new_map();
    if (!str_starts(go, "go1"))
        return NULL;
    doc_set_text(module, "path", "stdlib");
    doc_set_fmt(module, "version", "%.*s", (int)strcspn(go + 2, " -"), go + 2);
    return add_module(s, depends, module);
}

/* C that was linked in is known to nobody. */
static bool has_c(const struct doc *go)
{
    const struct doc *v = doc_find(doc_get(go, "settings"), "key", "CGO_ENABLED");
    return !v || !str_eq(doc_text(v, "value"), "0");
}

static struct err *add_go(struct sbom *s, struct doc *thing, const struct doc *go)
{
    const char *ref = doc_text(thing, "bom-ref");
    OWN_DOC struct doc *depends = sbom_depends(ref);
    struct doc *on = sbom_depends_on(depends);
    sbom_property(thing, "caisson:go:version", doc_text(go, "go"));
    if (doc_text(go, "path"))
        sbom_property(thing, "caisson:go:path", doc_text(go, "path"));
    DOC_EACH (v, doc_get(go, "settings")) {
        OWN_FREE char *name = str_fmt("caisson:go:build:%s", doc_text(v, "key"));
        if (name)
            sbom_property(thing, name, doc_text(v, "value"));
    }
    TRY(add_stdlib(s, on, doc_text(go, "go")));
    DOC_EACH (v, doc_get(go, "modules"))
        TRY(add_module(s, on, v));
    TRY(sbom_add(s, SBOM_DEPENDENCIES, TAKE(depends)));
    return sbom_add_text(s, doc_len(doc_get(go, "modules")) && !has_c(go) ? SBOM_COMPLETE : SBOM_INCOMPLETE, ref);
}

struct err *sbom_program(struct sbom *s, struct doc *thing, struct doc *depends, const struct doc *evidence)
{
    const char *ref = doc_text(thing, "bom-ref");
    const struct doc *go = doc_get(evidence, "go");
    if (!doc_bool(evidence, "elf", false))
        return NULL;
    doc_add_text(depends, ref);
    return go ? add_go(s, thing, go) : sbom_add_text(s, SBOM_UNKNOWN, ref);
}
