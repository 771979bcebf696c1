#include "ops/fit.h"

#include "wire/floor.h"

#include <string.h>

/* ---- what cluster.yaml asks for ---- */

static struct err *check_asked(const struct context *x, const char *key, const char *wanted)
{
    const char *has = doc_text(x->release.head, key);
    if (!wanted || str_eq(has, wanted))
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_PRODUCT: %s is a bundle of %s \"%s\", cluster.yaml wants \"%s\"",
                            x->cluster->release, key, has, wanted),
                    "change `%s` or `release` in %s", key, x->cluster->file);
}

struct err *fit_asked(const struct context *x)
{
    TRY(check_asked(x, "product", x->cluster->product));
    TRY(check_asked(x, "profile", x->cluster->profile));
    return check_asked(x, "channel", x->cluster->channel);
}

/* ---- what the cluster had ---- */

static struct err *was_not_asked(const struct context *x, const char *key, const struct doc *record)
{
    const char *has = doc_text(x->release.head, key);
    return err_hint(err_new(ERR_UNTRUSTED, "E_PRODUCT: %s is a bundle of %s \"%s\", this cluster had \"%s\" (%s/%s)",
                            x->cluster->release, key, has, doc_text(record, key), doc_text(record, "product"),
                            doc_text(record, "profile")),
                    "when you mean it, write `%s: %s` under spec in %s", key, has, x->cluster->file);
}

static struct err *check_product(const struct context *x)
{
    const char *product = doc_text(x->release.head, "product");
    const struct doc *first = x->floors->child;
    if (!first || x->cluster->product || doc_find(x->floors, "product", product))
        return NULL;
    return was_not_asked(x, "product", first);
}

/* Of another profile, too: the cluster that changes its profile stays in its channel. */
static struct err *check_channel(const struct context *x)
{
    const char *product = doc_text(x->release.head, "product"), *channel = doc_text(x->release.head, "channel");
    DOC_EACH (v, x->floors)
        if (!x->cluster->channel && str_eq(doc_text(v, "product"), product) && !str_eq(doc_text(v, "channel"), channel))
            return was_not_asked(x, "channel", v);
    return NULL;
}

/* "1.36" of "1.36.3" or "v1.36.3". */
static void minor_of(char ret[16], const char *version)
{
    version += *version == 'v';
    size_t n = strcspn(version, ".");
    n += version[n] == '.' ? 1 + strcspn(version + n + 1, ".") : 0;
    (void)snprintf(ret, 16, "%.*s", (int)(n < 15 ? n : 15), version);
}

/* The newest version on record, of whatever profile: memory_keep() leaves one, but an old file may have more. */
static const char *newest_kubernetes(const struct doc *floors)
{
    const char *newest = NULL;
    DOC_EACH (v, floors) {
        const char *version = doc_text(v, "kubernetes");
        if (version && (!newest || strverscmp(version, newest) > 0))
            newest = version;
    }
    return newest;
}

struct err *fit_upgrade(const struct doc *floors, const struct doc *head)
{
    const struct doc *seen = floor_find(floors, head);
    const char *from = newest_kubernetes(floors), *to = doc_text(head, "kubernetes.version");
    char had[16], has[16];
    bool back = seen && doc_get(seen, "kubernetes") && floor_compare(head, seen) < 0; /* allowed already */
    if (!from || !to || back)
        return NULL;
    minor_of(had, from);
    minor_of(has, to);
    if (strcmp(had, has) == 0 || doc_list_has(doc_path(head, "kubernetes.upgradeFrom"), had))
        return NULL;
    return err_hint(
        err_new(ERR_UNTRUSTED, "E_REQUIRES: Kubernetes %s cannot follow %s, which this cluster has", to, from),
        "install a release between them first: Kubernetes is upgraded by one minor version at a time");
}

struct err *fit_cluster(const struct context *x)
{
    TRY(check_product(x));
    TRY(check_channel(x));
    return err_wrap(fit_upgrade(x->floors, x->release.head), "%s", x->cluster->release);
}

/* ---- the machines ---- */

const char *fit_platform(const char *machine)
{
    if (str_eq(machine, "x86_64"))
        return "linux/amd64";
    return str_eq(machine, "aarch64") ? "linux/arm64" : machine;
}

struct err *fit_machines(const struct fleet *f)
{
    const struct doc *platforms = doc_get(f->x->release.head, "platforms");
    for (size_t i = 0; i < f->n; i++) {
        const char *platform = fit_platform(doc_text(f->at[i].state, "arch"));
        if (!platform || doc_list_has(platforms, platform))
            continue;
        return err_hint(err_new(ERR_UNTRUSTED, "%s: E_PLATFORM: the release is for %s, the machine is %s",
                                f->at[i].host->name, platforms->child->text, platform),
                        "use a bundle for this platform, or another machine");
    }
    return NULL;
}
