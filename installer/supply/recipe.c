#include "supply/recipe.h"

#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "net/cache.h"
#include "pack/tree.h"
#include "pack/ustar.h"
#include "supply/license.h"
#include "supply/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct err *read_input(struct buf *out, const char *path, const char *what)
{
    struct err *e = file_read(out, AT_FDCWD, path);
    return e ? err_as(err_wrap(e, "%s", what), ERR_USAGE) : NULL;
}

static struct err *check_head(const struct doc *d, const char *kind, const char *file)
{
    if (!str_eq(doc_text(d, "apiVersion"), "caisson.dev/v1") || !str_eq(doc_text(d, "kind"), kind))
        return doc_err(ERR_USAGE, d, "apiVersion must be caisson.dev/v1 and kind %s", kind);
    const char *name = doc_text(d, "metadata.name");
    if (!name)
        return err_new(ERR_USAGE, "%s: metadata.name is missing", file);
    struct err *e = format_name(name);
    return e ? err_as(err_wrap(e, "%s: metadata.name", file), ERR_USAGE) : NULL;
}

/* ---- the lock ---- */

static struct err *load_lock(struct recipe *r)
{
    const char *file = r->opts->lock;
    TRY(lock_load(&r->lock, &r->lock_text, file));
    if (!str_eq(doc_text(r->lock, "profile"), r->name))
        return err_hint(
            err_new(ERR_UNTRUSTED, "E_LOCK: %s is for profile %s, not %s", file, doc_text(r->lock, "profile"), r->name),
            "caisson bundle lock --profile FILE makes one for each profile");
    r->platform = doc_text(r->lock, "platform");
    return NULL;
}

struct err *recipe_locked(const struct doc **ret, const struct recipe *r, const struct part *part, const char *kind,
                          const char *name, const struct doc *at)
{
    *ret = lock_find(r->lock, kind, part->name, part->version, name);
    if (*ret)
        return NULL;
    return err_hint(doc_err(ERR_USAGE, at, "%s of %s %s is not locked", name, part->name, part->version),
                    "caisson bundle lock adds it to %s", r->opts->lock);
}

char *recipe_blob(const struct recipe *r, const char *hex)
{
    return cache_path(r->opts->cache, hex);
}

/* ---- components ---- */

/* The profile's version, else the one that the lock has, else the newest. */
static const char *choose_version(const struct recipe *r, const struct doc *wish, const struct part *part)
{
    if (doc_text(wish, "version"))
        return doc_text(wish, "version");
    const struct doc *locked = r->newest ? NULL : doc_find(doc_get(r->lock, "entries"), "component", part->name);
    if (locked)
        return doc_text(locked, "version");
    const struct doc *versions = doc_get(part->definition, "versions");
    return doc_len(versions) ? doc_text(versions->child, "version") : NULL;
}

static struct err *check_version(const struct part *part, const struct doc *wish)
{
    if (doc_find(doc_get(part->definition, "versions"), "version", part->version))
        return NULL;
    return doc_err(ERR_USAGE, wish, "component %s has no version %s", part->name,
                   part->version ? part->version : "at all");
}

static struct err *check_license(const struct doc *definition)
{
    const struct doc *license = doc_path(definition, "metadata.license");
    if (!license || (license->kind == DOC_STRING && license_is_valid(license->text)))
        return NULL;
    return err_hint(doc_err(ERR_USAGE, license, "license is no SPDX expression"),
                    "write identifiers of the SPDX licence list, like \"Apache-2.0 AND GPL-2.0-or-later\"");
}

static struct err *load_part(struct part *part, const struct recipe *r, const struct doc *wish)
{
    part->name = wish->kind == DOC_STRING ? wish->text : doc_text(wish, "name");
    if (!part->name)
        return doc_err(ERR_USAGE, wish, "a component without a name");
    struct err *bad = format_name(part->name);
    if (bad)
        return err_as(bad, ERR_USAGE);
    OWN_FREE char *path = str_fmt("%s/%s.yaml", r->opts->bundles_dir, part->name);
    if (!path)
        return err_os(ENOMEM, "%s", part->name);
    TRY(err_hint(read_input(&part->text, path, "component"),
                 "--bundles DIR is the folder of component definitions; the profile names them"));
    TRY(doc_yaml(&part->definition, path, part->text.at, part->text.len));
    TRY(check_head(part->definition, "Component", path));
    if (!str_eq(doc_text(part->definition, "metadata.name"), part->name))
        return doc_err(ERR_USAGE, part->definition, "the file is called %s, the component is not", part->name);
    TRY(check_license(part->definition));
    part->version = choose_version(r, wish, part);
    return check_version(part, wish);
}

static struct err *load_parts(struct recipe *r)
{
    const struct doc *list = doc_path(r->profile, "spec.components");
    if (!list || list->kind != DOC_LIST || !list->child)
        return doc_err(ERR_USAGE, r->profile, "spec.components must be a list of components");
    r->parts = calloc(doc_len(list), sizeof *r->parts);
    if (!r->parts)
        return err_os(ENOMEM, "profile");
    DOC_EACH (wish, list) {
        TRY(load_part(&r->parts[r->n++], r, wish));
        for (size_t i = 0; i + 1 < r->n; i++)
            if (str_eq(r->parts[i].name, r->parts[r->n - 1].name))
                return doc_err(ERR_USAGE, wish, "component %s is there twice", r->parts[i].name);
    }
    return NULL;
}

struct err *recipe_open(struct recipe *ret, const struct build_opts *o)
{
    ret->opts = o;
    TRY(read_input(&ret->profile_text, o->profile, "profile"));
    TRY(doc_yaml(&ret->profile, o->profile, ret->profile_text.at, ret->profile_text.len));
    TRY(check_head(ret->profile, "Profile", o->profile));
    ret->name = doc_text(ret->profile, "metadata.name");
    if (o->lock)
        TRY(load_lock(ret));
    return load_parts(ret);
}

struct err *recipe_load(struct recipe *ret, const struct build_opts *o)
{
    TRY(recipe_open(ret, o));
    ret->version = o->version ? o->version : doc_text(ret->profile, "spec.version");
    return ret->version ? NULL
                        : err_hint(doc_err(ERR_USAGE, ret->profile, "the release has no version"),
                                   "give --version, or spec.version in the profile");
}

void part_done(struct part *p)
{
    buf_done(&p->text);
    doc_free(p->definition);
}

void recipe_done(struct recipe *r)
{
    for (size_t i = 0; i < r->n; i++)
        part_done(&r->parts[i]);
    free(r->parts);
    buf_done(&r->profile_text);
    buf_done(&r->lock_text);
    doc_free(r->profile);
    doc_free(r->lock);
}

struct err *recipe_tell(const struct recipe *r, const char *what, uint64_t done, uint64_t total)
{
    return !r->progress || r->progress(r->progress_self, what, done, total) ? NULL
                                                                            : err_new(ERR_CANCELLED, "cancelled");
}

/* ---- placeholders ---- */

/* The n-th number (from 0) of "1.36.3", with its length in *ret_len; empty when there is none. */
static const char *number_of(const char *version, int n, size_t *ret_len)
{
    for (; n > 0; n--) {
        version += strcspn(version, ".");
        version += *version == '.';
    }
    *ret_len = strspn(version, "0123456789");
    return version;
}

static bool value_of(const char **ret, size_t *ret_len, const char *name, size_t n, const char *version)
{
    static const char *const numbers[] = {"major", "minor", "patch"};
    if (n == 7 && strncmp(name, "version", n) == 0) {
        *ret = version;
        *ret_len = strlen(version);
        return true;
    }
    for (int i = 0; i < 3; i++)
        if (n == 5 && strncmp(name, numbers[i], n) == 0) {
            *ret = number_of(version, i, ret_len);
            return true;
        }
    return false;
}

struct err *recipe_expand(char **ret, const struct part *part, const struct doc *v)
{
    OWN_BUF struct buf out = {0};
    const char *value, *s = v ? v->text : NULL;
    size_t len;
    if (!s)
        return doc_err(ERR_USAGE, v ? v : part->definition, "text is missing");
    while (*s) {
        const char *mark = strstr(s, "${"), *end = mark ? strchr(mark, '}') : NULL;
        TRY(buf_add(&out, s, mark ? (size_t)(mark - s) : strlen(s)));
        if (!mark)
            break;
        if (!end || !value_of(&value, &len, mark + 2, (size_t)(end - mark - 2), part->version))
            return doc_err(ERR_USAGE, v, "\"%s\": only ${version}, ${major}, ${minor} and ${patch} stand for something",
                           v->text);
        TRY(buf_add(&out, value, len));
        s = end + 1;
    }
    *ret = out.at ? buf_take(&out) : strdup("");
    return *ret ? NULL : err_os(ENOMEM, "text");
}

/* ---- manifests ---- */

static struct err *read_manifest(struct buf *out, const struct recipe *r, const char *name)
{
    if (strlen(name) > USTAR_NAME_MAX)
        return err_new(ERR_USAGE, "E_PATH: more than %d bytes", USTAR_NAME_MAX);
    TRY(tree_check_path(name));
    OWN_FREE char *path = str_fmt("%s/%s", r->opts->bundles_dir, name);
    return path ? file_read(out, AT_FDCWD, path) : err_os(ENOMEM, "manifest");
}

struct err *recipe_manifest(struct buf *out, char **ret_name, const struct recipe *r, const struct part *part,
                            const struct doc *def)
{
    OWN_FREE char *name = NULL;
    out->max = FORMAT_SMALL_BYTES_MAX;
    TRY(recipe_expand(&name, part, doc_get(def, "file")));
    struct err *bad = read_manifest(out, r, name);
    if (bad)
        return err_as(err_wrap(bad, "%s:%u:%u", def->file, def->line, def->col), ERR_USAGE);
    *ret_name = TAKE(name);
    return NULL;
}
