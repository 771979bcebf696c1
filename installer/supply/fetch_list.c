#include "supply/fetch_list.h"

#include "base/file.h"
#include "bundle/format.h"
#include "net/cache.h"
#include "net/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

const char *fetch_id(const struct fetch_item *item)
{
    return doc_text(item->entry, "id");
}

uint64_t fetch_size(const struct fetch_item *item)
{
    return (uint64_t)doc_int(item->entry, "size", 0);
}

const char *fetch_sha256(const struct fetch_item *item)
{
    return doc_text(item->entry, "sha256");
}

/* ---- images ---- */

static struct err *has_blob(bool *ret, const char *cache, const struct doc *descriptor)
{
    const char *hex = format_hex(doc_text(descriptor, "digest"));
    *ret = false;
    return hex ? cache_has(ret, cache, hex, (uint64_t)doc_int(descriptor, "size", 0)) : NULL;
}

static struct err *has_index(bool *ret, const char *cache, const struct doc *entry)
{
    const char *hex = doc_text(entry, "index.sha256");
    *ret = !hex;
    return hex ? cache_has(ret, cache, hex, (uint64_t)doc_int(entry, "index.size", 0)) : NULL;
}

/* The manifest is there; are its config and layers, and the index it stands in? */
static struct err *image_is_whole(bool *ret, const struct fetch_item *item, const char *cache)
{
    OWN_BUF struct buf text = {.max = FORMAT_MANIFEST_BYTES_MAX + 1};
    OWN_DOC struct doc *manifest = NULL;
    TRY(file_read(&text, AT_FDCWD, item->path));
    TRY_CTX(doc_json(&manifest, item->path, text.at, text.len), "%s", fetch_id(item));
    TRY(has_index(ret, cache, item->entry));
    if (*ret)
        TRY(has_blob(ret, cache, doc_get(manifest, "config")));
    DOC_EACH (layer, doc_get(manifest, "layers"))
        if (*ret)
            TRY(has_blob(ret, cache, layer));
    return NULL;
}

/* ---- the list ---- */

static enum fetch_how how_to_get(const struct doc *entry)
{
    bool image = str_eq(doc_text(entry, "kind"), "oci");
    if (doc_get(entry, "from"))
        return FETCH_EXTRACT;
    return !doc_len(doc_get(entry, "urls")) ? FETCH_NOWHERE : image ? FETCH_IMAGE : FETCH_DOWNLOAD;
}

/* Two entries may have the same bytes: those are fetched once. */
static bool is_listed(const struct fetch_list *l, const struct fetch_item *item)
{
    for (size_t i = 0; &l->at[i] < item; i++)
        if (l->at[i].how == FETCH_DOWNLOAD && str_eq(fetch_sha256(&l->at[i]), fetch_sha256(item)))
            return true;
    return false;
}

static void count(struct fetch_list *l, const struct fetch_item *item)
{
    bool counts = item->how == FETCH_DOWNLOAD || item->how == FETCH_EXTRACT;
    uint64_t bytes = counts ? fetch_size(item) : 0, half = item->how == FETCH_DOWNLOAD ? partial_room(item->path) : 0;
    l->bytes += bytes;
    l->room += bytes - (half < bytes ? half : bytes);
}

static struct err *look(struct fetch_list *l, struct fetch_item *item, const char *cache)
{
    bool there = false;
    TRY(cache_has(&there, cache, fetch_sha256(item), fetch_size(item)));
    if (there)
        partial_clean(item->path); /* left by a run that was killed at its very end */
    if (there && str_eq(doc_text(item->entry, "kind"), "oci"))
        TRY(image_is_whole(&there, item, cache));
    item->how = there ? FETCH_PRESENT : is_listed(l, item) ? FETCH_TWIN : how_to_get(item->entry);
    count(l, item);
    return NULL;
}

struct err *fetch_list_make(struct fetch_list *ret, const struct doc *lock, const struct fetch_opts *o, fetch_says says,
                            void *self)
{
    const struct doc *entries = doc_get(lock, "entries");
    uint64_t seen = 0, total = 0;
    ret->at = calloc(doc_len(entries) + 1, sizeof *ret->at);
    if (!ret->at)
        return err_os(ENOMEM, "%s", o->lock);
    DOC_EACH (v, entries)
        total += (uint64_t)doc_int(v, "size", 0);
    DOC_EACH (v, entries) {
        struct fetch_item *item = &ret->at[ret->n++];
        *item = (struct fetch_item){.entry = v};
        item->path = cache_path(o->cache, fetch_sha256(item));
        if (!item->path)
            return err_os(ENOMEM, "%s", o->lock);
        TRY(cancel_check(o->net->way.cancel));
        TRY(look(ret, item, o->cache));
        seen += fetch_size(item);
        says(self, FETCH_RUNS, NULL, "check", seen, total);
    }
    return NULL;
}

void fetch_list_done(struct fetch_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].path);
    free(l->at);
}
