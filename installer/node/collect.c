/*
 * collect: what no kept generation names any more is deleted. Kept are the current generation and the one it can go
 * back to. A package goes only at boot: a process that outlives its unit, such as a container's shim, may call programs
 * of a package which that unit left long ago.
 */
#include "node/collect.h"

#include "base/file.h"
#include "base/own.h"
#include "node/manifest.h"
#include "node/node.h"

#include <errno.h>
#include <stdio.h>

struct kept {
    struct strs generations, trees, secrets, blobs;
};

static void kept_done(struct kept *k)
{
    strs_done(&k->generations);
    strs_done(&k->trees);
    strs_done(&k->secrets);
    strs_done(&k->blobs);
}

static struct err *keep(struct kept *k, int dir, int64_t generation)
{
    OWN_DOC struct doc *m = NULL;
    OWN_FREE char *name = str_fmt("%lld", (long long)generation);
    if (!generation)
        return NULL;
    TRY(name ? strs_add(&k->generations, name) : err_os(ENOMEM, "collect"));
    TRY(manifest_load(&m, NULL, dir, generation));
    DOC_EACH (t, doc_get(m, "trees"))
        TRY(strs_add(&k->trees, t->text));
    DOC_EACH (f, doc_get(m, "files")) {
        const char *source = doc_text(f, "source");
        if (!str_eq(source, "inline"))
            TRY(strs_add(str_eq(source, "secret") ? &k->secrets : &k->blobs, doc_text(f, "digest")));
    }
    return NULL;
}

static struct err *keep_both(struct kept *k, int dir)
{
    int64_t current = 0;
    OWN_DOC struct doc *note = NULL;
    TRY(generation_current(&current, dir));
    TRY(activation_load(&note, dir, current));
    TRY(keep(k, dir, current));
    return keep(k, dir, doc_int(note, "previous", 0));
}

/* What generations that go now had brought to the machine: a reset has to know it still. */
static struct err *owned_note(int dir, const struct strs *kept)
{
    OWN_STRS struct strs names = {0};
    OWN_DOC struct doc *owned = NULL;
    TRY(dir_names(&names, dir, "generations"));
    TRY(json_load(&owned, dir, "owned"));
    if (!owned)
        owned = doc_new_list();
    size_t before = doc_len(owned);
    for (size_t i = 0; i < names.n; i++) {
        int64_t n = 0;
        OWN_DOC struct doc *m = NULL;
        if (strs_has(kept, names.at[i]) || !str_int(names.at[i], 1, INT32_MAX, &n))
            continue;
        TRY(manifest_load(&m, NULL, dir, n));
        DOC_EACH (path, doc_get(m, "owned"))
            if (!doc_list_has(owned, path->text))
                doc_add_text(owned, path->text);
    }
    return doc_len(owned) == before ? NULL : json_store(dir, "owned", owned);
}

/* Out of its name first: half a generation or package must not be taken for a whole one after a cut. */
static struct err *drop(int dir, const char *folder, const char *name)
{
    OWN_FREE char *path = str_fmt("%s/%s", folder, name), *hidden = str_fmt("%s/.%s", folder, name);
    if (!path || !hidden)
        return err_os(ENOMEM, "collect");
    if (*name == '.')
        return file_remove_tree(dir, path);
    TRY(file_remove_tree(dir, hidden));
    if (renameat(dir, path, dir, hidden) < 0)
        return err_os(errno, "rename %s", path);
    TRY(file_sync_parent(dir, path));
    return file_remove_tree(dir, hidden);
}

static struct err *sweep(int dir, const char *folder, const struct strs *kept)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, folder));
    for (size_t i = 0; i < names.n; i++)
        if (!strs_has(kept, names.at[i]))
            TRY(drop(dir, folder, names.at[i]));
    return NULL;
}

struct err *collect(int dir, bool at_boot)
{
    OWN(kept_done) struct kept k = {0};
    TRY(keep_both(&k, dir));
    TRY(owned_note(dir, &k.generations));
    TRY(sweep(dir, "generations", &k.generations));
    TRY(sweep(dir, "secrets", &k.secrets));
    TRY(sweep(dir, "store/sha256", &k.blobs));
    return at_boot ? sweep(dir, "tree", &k.trees) : NULL;
}
