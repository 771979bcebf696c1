/* generation: writes a generation whole: beside the others first, then into its place by one rename. */
#include "base/file.h"
#include "base/own.h"
#include "crypt/digest.h"
#include "node/manifest.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct maker {
    struct call *c;
    const struct doc *inline_texts;
    int to; /* the folder in making */
};

/* The text that the request brings for `digest`, checked. */
static struct err *inline_text(const char **ret, const struct maker *m, const char *digest)
{
    const struct doc *d = doc_get(m->inline_texts, digest);
    char have[65];
    if (!d || d->kind != DOC_STRING)
        return err_new(ERR_USAGE, "no text for %s in the request", digest);
    TRY(digest_hex(have, d->text, strlen(d->text)));
    *ret = d->text;
    return str_eq(have, digest) ? NULL : err_new(ERR_UNTRUSTED, "text has digest %s, not %s", have, digest);
}

/* The bytes of a file of the manifest. */
static struct err *source_read(struct buf *out, const struct maker *m, const struct doc *file)
{
    const char *source = doc_text(file, "source");
    const char *digest = doc_text(file, "digest");
    if (str_eq(source, "inline")) {
        const char *text = NULL;
        TRY(inline_text(&text, m, digest));
        return buf_str(out, text);
    }
    bool secret = str_eq(source, "secret");
    OWN_FREE char *path = str_fmt("%s/%s", secret ? "secrets" : "store/sha256", digest);
    if (!path)
        return err_os(ENOMEM, "generation");
    TRY(file_read(out, m->c->dir, path));
    char have[65];
    TRY(digest_hex(have, out->at, out->len));
    if (!secret && !str_eq(have, digest))
        return err_new(ERR_UNTRUSTED, "%s has digest %s: this disk has changed it", path, have);
    return NULL;
}

static struct err *file_make(const struct maker *m, const char *path, const struct buf *bytes, const struct doc *file)
{
    mode_t mode = (mode_t)strtoul(file ? doc_text(file, "mode") : "0644", NULL, 8);
    OWN_FD int fd = openat(m->to, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_os(errno, "create %s", path);
    TRY(fd_write_all(fd, bytes->at, bytes->len));
    TRY(file_give(m->c->n, fd, doc_int(file, "uid", 0), doc_int(file, "gid", 0)));
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return err_os(errno, "write %s", path);
    return NULL;
}

static struct err *files_make(const struct maker *m, const struct doc *manifest)
{
    DOC_EACH (file, doc_get(manifest, "files")) {
        const char *name = doc_text(file, "name");
        OWN_FREE char *path = str_fmt("files/%s", name);
        OWN_FREE char *folder = path ? strdup(path) : NULL;
        if (!folder)
            return err_os(ENOMEM, "generation");
        *strrchr(folder, '/') = '\0';
        TRY(file_mkdirs(m->to, folder, 0755));
        OWN_SECRET_BUF struct buf bytes = {0};
        TRY_CTX(source_read(&bytes, m, file), "file %s", name);
        TRY(file_make(m, path, &bytes, file));
    }
    return NULL;
}

static struct err *units_make(const struct maker *m, const struct doc *manifest)
{
    DOC_EACH (unit, doc_get(manifest, "units")) {
        const char *name = doc_text(unit, "name");
        const char *text = NULL;
        OWN_FREE char *path = str_fmt("units/%s", name);
        if (!path)
            return err_os(ENOMEM, "generation");
        TRY_CTX(inline_text(&text, m, doc_text(unit, "digest")), "unit %s", name);
        OWN_BUF struct buf bytes = {0};
        TRY(buf_str(&bytes, text));
        TRY(file_make(m, path, &bytes, NULL));
    }
    return NULL;
}

static struct err *trees_check(const struct maker *m, const struct doc *manifest)
{
    DOC_EACH (v, doc_get(manifest, "trees")) {
        OWN_FREE char *path = str_fmt("tree/%s", v->text);
        if (!path || !file_exists(m->c->dir, path))
            return err_new(ERR_FAILED, "package %s is not on this node", v->text);
    }
    return NULL;
}

/* fsync of every folder below, deepest first. */
static struct err *folders_sync(int dirfd, const char *name)
{
    OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? NULL : err_os(errno, "open %s", name);
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, fd, "."));
    for (size_t i = 0; i < names.n; i++)
        TRY(folders_sync(fd, names.at[i]));
    return fsync(fd) < 0 ? err_os(errno, "sync %s", name) : NULL;
}

static struct err *generation_fill(struct maker *m, const struct doc *manifest, const struct buf *text)
{
    if (mkdirat(m->to, "files", 0755) < 0 || mkdirat(m->to, "units", 0755) < 0)
        return err_os(errno, "create folders");
    TRY(trees_check(m, manifest));
    TRY(files_make(m, manifest));
    TRY(units_make(m, manifest));
    TRY(file_replace(m->to, "manifest.json", text->at, text->len, 0644));
    return folders_sync(m->to, ".");
}

/* A generation with that identity, or 0; and the highest number in use. */
static struct err *generation_find(int64_t *ret, int64_t *ret_highest, int dir, const char *digest)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, "generations"));
    *ret = *ret_highest = 0;
    for (size_t i = 0; i < names.n; i++) {
        int64_t n = 0;
        if (!str_int(names.at[i], 1, INT32_MAX, &n))
            continue;
        OWN_FREE char *path = str_fmt("generations/%s/manifest.json", names.at[i]);
        OWN_BUF struct buf text = {0};
        char have[65];
        if (!path)
            return err_os(ENOMEM, "generation");
        TRY(file_read(&text, dir, path));
        TRY(digest_hex(have, text.at, text.len));
        if (str_eq(have, digest) && n > *ret)
            *ret = n;
        if (n > *ret_highest)
            *ret_highest = n;
    }
    return NULL;
}

static struct err *generation_write(struct call *c, int64_t n, const struct doc *manifest, const struct buf *text)
{
    OWN_FREE char *tmp = str_fmt("generations/.%lld", (long long)n);
    OWN_FREE char *name = str_fmt("generations/%lld", (long long)n);
    if (!tmp || !name)
        return err_os(ENOMEM, "generation");
    TRY(file_mkdirs(c->dir, "generations", 0755));
    TRY(file_sync_parent(c->dir, "generations"));
    TRY(file_remove_tree(c->dir, tmp)); /* of a run that was killed: we hold the lock */
    if (mkdirat(c->dir, tmp, 0755) < 0)
        return err_os(errno, "create %s", tmp);
    OWN_FD int to = openat(c->dir, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (to < 0)
        return err_os(errno, "open %s", tmp);
    struct maker m = {.c = c, .inline_texts = doc_get(c->request, "inline"), .to = to};
    struct err *e = generation_fill(&m, manifest, text);
    if (!e && renameat(c->dir, tmp, c->dir, name) < 0)
        e = err_os(errno, "rename to %s", name);
    if (e) {
        err_ignore(file_remove_tree(c->dir, tmp)); /* only takes space; the sweep comes by */
        return e;
    }
    return file_sync_parent(c->dir, name);
}

struct err *op_generation_put(struct call *c)
{
    const struct doc *manifest = doc_get(c->request, "manifest");
    OWN_BUF struct buf text = {.max = (size_t)16 << 20};
    char digest[65];
    TRY(manifest_check(manifest));
    TRY(doc_json_write(&text, manifest));
    TRY(digest_hex(digest, text.at, text.len));
    int64_t n = 0, highest = 0;
    TRY(generation_find(&n, &highest, c->dir, digest));
    if (!n) {
        TRY(space_check(c->dir, text.len));
        n = highest + 1;
        TRY_CTX(generation_write(c, n, manifest, &text), "generation %lld", (long long)n);
    }
    doc_set_int(c->reply, "generation", n);
    doc_set_text(c->reply, "digest", digest);
    return NULL;
}
