#include "supply/resolve.h"

#include "base/file.h"
#include "net/cache.h"
#include "net/registry.h"
#include "supply/attest.h"
#include "supply/lock.h"
#include "supply/recipe.h"
#include "supply/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

struct work {
    const struct resolve_opts *o;
    struct recipe recipe; /* with the lock as it was, if there is one */
    struct net net;
    struct registry *registry;
    struct doc *entries; /* of the new lock, by id */
    const struct part *part;
    /* what is being fetched */
    const char *what;
    _Atomic uint64_t done; /* bytes; several threads fetch */
    uint64_t total;        /* 0: not known */
};

static void work_done(struct work *w)
{
    recipe_done(&w->recipe);
    registry_free(w->registry);
    net_done(&w->net);
    doc_free(w->entries);
}

/* ---- progress ---- */

static struct err *begin(struct work *w, const char *what)
{
    w->what = what;
    w->done = w->total = 0;
    return recipe_tell(&w->recipe, what, 0, 0);
}

static void on_bytes(void *self, int64_t bytes)
{
    struct work *w = self;
    uint64_t done = atomic_fetch_add(&w->done, (uint64_t)bytes) + (uint64_t)bytes;
    err_ignore(recipe_tell(&w->recipe, w->what, done, w->total)); /* the cancel flag stops the transfer itself */
}

static void on_sum(void *self, uint64_t bytes)
{
    struct work *w = self;
    w->done = 0;
    w->total = bytes;
}

/* ---- entries ---- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static struct doc *entry_new(const struct work *w, const char *id, const char *kind, const char *name)
{
    const struct doc *definition = w->part->definition;
    const char *purl = or_empty(doc_text(definition, "metadata.purl"));
    struct doc *v = doc_new_map();
    doc_set_text(v, "id", id);
    doc_set_text(v, "kind", kind);
    doc_set_text(v, "component", w->part->name);
    doc_set_text(v, "version", w->part->version);
    doc_set_text(v, strcmp(kind, "oci") == 0 ? "name" : "file", name);
    doc_set_text(v, "license", or_empty(doc_text(definition, "metadata.license")));
    doc_set_fmt(v, "purl", "%s%s%s", purl,
                !*purl                            ? ""
                : str_starts(purl, "pkg:golang/") ? "@v"
                                                  : "@",
                *purl ? w->part->version : "");
    doc_set_text(v, "platform", w->o->platform);
    return v;
}

static void set_bytes(struct doc *v, const struct payload *bytes)
{
    doc_set_text(v, "sha256", bytes->sha256);
    doc_set_int(v, "size", (int64_t)bytes->size);
}

static void set_url(struct doc *v, const char *url)
{
    struct doc *urls = doc_set(v, "urls", doc_new_list());
    if (url)
        doc_add_text(urls, url);
}

static struct doc *pinned(const struct work *w, const char *id)
{
    return w->o->update ? NULL : doc_find(doc_get(w->recipe.lock, "entries"), "id", id);
}

/* ---- files and archives ---- */

/* Fetches what `item` publishes and adds its entry. */
static struct err *add_download(struct work *w, const struct doc *item, const char *id, const char *kind)
{
    const char *url = doc_text(item, "url");
    OWN_DOC struct doc *v = entry_new(w, id, kind, doc_text(item, "file"));
    struct doc *upstream = NULL;
    struct payload bytes = {0};
    TRY(begin(w, doc_text(item, "file")));
    TRY(cache_download(&bytes, w->o->cache, url, (uint64_t)CACHE_BLOB_MAX, &w->net, on_bytes, w));
    OWN_FREE char *path = cache_path(w->o->cache, bytes.sha256);
    if (!path)
        return err_os(ENOMEM, "%s", id);
    const struct attest a = {.evidence = doc_get(item, "evidence"),
                             .bundles_dir = w->o->bundles_dir,
                             .cache = w->o->cache,
                             .url = url,
                             .path = path,
                             .sha256 = bytes.sha256,
                             .net = &w->net};
    TRY(attest(&upstream, &a));
    doc_set(v, "upstream", upstream);
    set_bytes(v, &bytes);
    set_url(v, url);
    doc_add(w->entries, TAKE(v));
    return NULL;
}

/* The bytes of an archive that is pinned already are needed again: for a file that is not. */
static struct err *refill(struct work *w, const struct doc *archive)
{
    struct payload bytes = {0};
    const char *hex = doc_text(archive, "sha256"), *url = doc_get(archive, "urls")->child->text;
    bool there = false;
    TRY(cache_has(&there, w->o->cache, hex, (uint64_t)doc_int(archive, "size", 0)));
    if (there)
        return NULL;
    TRY(begin(w, doc_text(archive, "file")));
    TRY(cache_download(&bytes, w->o->cache, url, (uint64_t)CACHE_BLOB_MAX, &w->net, on_bytes, w));
    if (strcmp(bytes.sha256, hex) == 0)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_LOCK: %s has sha256 %s, locked is %s", url, bytes.sha256, hex),
                    "find out why it changed; --update locks what is there now");
}

/* The archive's entry, made or taken over once; borrowed. */
static struct err *need_archive(const struct doc **ret, struct work *w, const struct doc *item)
{
    OWN_FREE char *id = str_fmt("%s/%s/%s", w->part->name, w->part->version, doc_text(item, "file"));
    if (!id)
        return err_os(ENOMEM, "archive");
    if (!doc_find(w->entries, "id", id)) {
        const struct doc *old = pinned(w, id);
        if (old && !str_eq(doc_text(old, "kind"), "archive"))
            return err_new(ERR_USAGE, "%s is locked as %s, not as an archive: --update", id, doc_text(old, "kind"));
        if (old)
            doc_add(w->entries, doc_clone(old));
        else
            TRY(add_download(w, item, id, "archive"));
    }
    *ret = doc_find(w->entries, "id", id);
    return NULL;
}

static struct err *add_member(struct work *w, const struct doc *item, const struct doc *member, const char *id)
{
    OWN_DOC struct doc *v = entry_new(w, id, "file", doc_text(member, "file"));
    const struct doc *archive = NULL;
    struct payload bytes = {0};
    TRY(need_archive(&archive, w, item));
    TRY(refill(w, archive));
    TRY_CTX(cache_extract(&bytes, w->o->cache, doc_text(archive, "sha256"), doc_text(member, "member"), NULL), "%s",
            doc_text(archive, "id"));
    struct doc *from = doc_set(v, "from", doc_new_map());
    doc_set_text(from, "archive", doc_text(archive, "id"));
    doc_set_text(from, "member", doc_text(member, "member"));
    doc_set(v, "upstream", doc_clone(doc_get(archive, "upstream")));
    set_bytes(v, &bytes);
    set_url(v, NULL);
    doc_add(w->entries, TAKE(v));
    return NULL;
}

/* ---- images ---- */

static struct err *add_image(struct work *w, const struct doc *item, const char *id, const char *name)
{
    const char *url = doc_text(item, "url");
    OWN_DOC struct doc *v = entry_new(w, id, "oci", name);
    struct registry_image image = {0};
    const struct registry_pull pull = {
        .ref = url, .platform = w->o->platform, .cache = w->o->cache, .begin = on_sum, .progress = on_bytes, .self = w};
    TRY(begin(w, name));
    TRY(registry_pull(&image, w->registry, &pull));
    doc_set_text(v, "sha256", image.sha256);
    doc_set_int(v, "size", (int64_t)image.size);
    if (*image.index) {
        struct doc *index = doc_set(v, "index", doc_new_map());
        doc_set_text(index, "sha256", image.index);
        doc_set_int(index, "size", (int64_t)image.index_size);
    }
    struct doc *upstream = doc_set(v, "upstream", doc_new_map());
    doc_set_text(upstream, "type", "none");
    doc_set_text(upstream, "ref", url);
    set_url(v, url);
    doc_add(w->entries, TAKE(v));
    return NULL;
}

/* ---- what a profile needs ---- */

/* Takes over what is pinned, with the archive that it comes from. */
static void take_over(struct work *w, const struct doc *old)
{
    const char *archive = doc_text(old, "from.archive");
    doc_add(w->entries, doc_clone(old));
    if (archive && !doc_find(w->entries, "id", archive))
        doc_add(w->entries, doc_clone(lock_entry(w->recipe.lock, archive)));
}

static struct err *resolve(struct work *w, const char *kind, const char *name, const char *id, const struct doc *at)
{
    const struct doc *item = NULL, *member = NULL;
    TRY(upstream_find(&item, &member, w->part, kind, name, at));
    return strcmp(kind, "oci") == 0 ? add_image(w, item, id, name)
           : member                 ? add_member(w, item, member, id)
                                    : add_download(w, item, id, "file");
}

/* The file or image whose name is at `at`. */
static struct err *need(struct work *w, const char *kind, const struct doc *at)
{
    const struct part *part = w->part;
    OWN_FREE char *name = NULL;
    TRY(recipe_expand(&name, part, at));
    OWN_FREE char *id =
        str_fmt("%s/%s/%s%s", part->name, part->version, strcmp(kind, "oci") == 0 ? "image/" : "", name);
    if (!id)
        return err_os(ENOMEM, "%s", name);
    const struct doc *old = w->o->update ? NULL : lock_find(w->recipe.lock, kind, part->name, part->version, name);
    if (doc_find(w->entries, "id", old ? doc_text(old, "id") : id))
        return NULL;
    if (old)
        take_over(w, old);
    return old ? NULL : err_wrap(resolve(w, kind, name, id, at), "%s", id);
}

static struct err *need_part(struct work *w)
{
    TRY(upstream_check(w->part));
    DOC_EACH (package, doc_get(w->part->definition, "packages"))
        DOC_EACH (file, doc_get(package, "files"))
            if (doc_get(file, "from"))
                TRY(need(w, "file", doc_get(file, "from")));
    DOC_EACH (image, doc_get(w->part->definition, "images"))
        TRY(need(w, "oci", doc_get(image, "name")));
    return NULL;
}

/* What a recipe made stays: nothing but its own lock says what else of the component is needed, by tests for one. */
static void keep_made(struct work *w)
{
    DOC_EACH (v, doc_get(w->recipe.lock, "entries")) {
        bool ours = str_eq(doc_text(v, "component"), w->part->name) && str_eq(doc_text(v, "version"), w->part->version);
        bool made = str_eq(doc_text(v, "kind"), "file") && !doc_len(doc_get(v, "urls")) && !doc_get(v, "from");
        if (ours && made && !doc_find(w->entries, "id", doc_text(v, "id")))
            doc_add(w->entries, doc_clone(v));
    }
}

static int by_id(const void *a, const void *b)
{
    return strcmp(doc_text(*(const struct doc *const *)a, "id"), doc_text(*(const struct doc *const *)b, "id"));
}

static struct err *sort_entries(struct work *w)
{
    size_t n = doc_len(w->entries), i = 0;
    OWN_FREE const struct doc **all = calloc(n + 1, sizeof(struct doc *));
    if (!all)
        return err_os(ENOMEM, "lock");
    DOC_EACH (v, w->entries)
        all[i++] = v;
    qsort(all, n, sizeof(struct doc *), by_id);
    struct doc *sorted = doc_new_list();
    for (i = 0; i < n; i++)
        doc_add(sorted, doc_clone(all[i]));
    doc_free(w->entries);
    w->entries = sorted;
    return NULL;
}

/* ---- what is new ---- */

static struct doc *brief(const struct doc *v)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "id", doc_text(v, "id"));
    doc_set_text(d, "sha256", doc_text(v, "sha256"));
    doc_set_int(d, "size", doc_int(v, "size", 0));
    return d;
}

static struct doc *compare(const struct work *w)
{
    struct doc *d = doc_new_map(), *added = doc_set(d, "added", doc_new_list()),
               *changed = doc_set(d, "changed", doc_new_list()), *removed = doc_set(d, "removed", doc_new_list());
    const struct doc *before = doc_get(w->recipe.lock, "entries");
    int64_t kept = 0;
    DOC_EACH (v, w->entries) {
        const struct doc *old = doc_find(before, "id", doc_text(v, "id"));
        kept += old && doc_equal(old, v);
        if (!old)
            doc_add(added, brief(v));
        else if (!doc_equal(old, v))
            doc_set(doc_add(changed, brief(v)), "was", brief(old));
    }
    DOC_EACH (old, before)
        if (!doc_find(w->entries, "id", doc_text(old, "id")))
            doc_add(removed, brief(old));
    doc_set_int(d, "kept", kept);
    doc_set_int(d, "entries", (int64_t)doc_len(w->entries));
    return d;
}

/* ---- all of it ---- */

static struct err *save(struct doc **ret, struct work *w)
{
    OWN_DOC struct doc *lock = doc_new_map(), *again = NULL, *told = NULL;
    OWN_BUF struct buf text = {0};
    TRY(sort_entries(w));
    doc_set_int(lock, "schema", 1);
    doc_set_text(lock, "profile", w->recipe.name);
    doc_set_text(lock, "platform", w->o->platform);
    doc_set(lock, "entries", doc_clone(w->entries));
    TRY(doc_json_write(&text, lock));
    TRY(lock_parse(&again, w->o->lock, text.at, text.len)); /* nobody gets a lock that nobody can read */
    told = compare(w);
    TRY(lock_save(lock, w->o->lock));
    doc_set_text(told, "path", w->o->lock);
    doc_set_text(told, "profile", w->recipe.name);
    doc_set_text(told, "platform", w->o->platform);
    *ret = TAKE(told);
    return NULL;
}

static struct err *prepare(struct work *w, const struct build_opts *b)
{
    w->recipe.newest = w->o->update;
    TRY(recipe_open(&w->recipe, b));
    if (w->recipe.platform && !str_eq(w->recipe.platform, w->o->platform))
        return err_new(ERR_USAGE, "%s is for %s, not %s", w->o->lock, w->recipe.platform, w->o->platform);
    TRY(net_open(&w->net, w->o->net));
    return registry_new(&w->registry, &w->net, w->o->auth);
}

struct err *bundle_lock(struct doc **ret, const struct resolve_opts *o, build_progress progress, void *self)
{
    const struct build_opts b = {.profile = o->profile,
                                 .bundles_dir = o->bundles_dir,
                                 .cache = o->cache,
                                 .lock = file_exists(AT_FDCWD, o->lock) ? o->lock : NULL};
    OWN(work_done)
    struct work w = {.o = o, .recipe = {.progress = progress, .progress_self = self}, .entries = doc_new_list()};
    TRY(prepare(&w, &b));
    for (size_t i = 0; i < w.recipe.n; i++) {
        w.part = &w.recipe.parts[i];
        TRY(need_part(&w));
        keep_made(&w);
    }
    return save(ret, &w);
}
