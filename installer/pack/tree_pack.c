/* Makes node packages: sorted entries, fixed owner and time, one zstd frame of known size with a checksum. */
#include "pack/tree.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "pack/ustar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

enum { CHUNK = 1 << 20 };

/* An entry of the archive: one of the caller's files, or a folder that holds some. */
struct item {
    char *path;
    const struct tree_file *file; /* NULL: a folder */
    uint64_t size;
};

struct packer {
    struct item *items;
    size_t n;
    struct archive *tar;
    struct archive_entry *entry;
    ZSTD_CCtx *zstd;
    char *chunk; /* CHUNK bytes, from a source */
    char *out;   /* CHUNK bytes, to out_fd */
    struct sha256 *raw_hash, *hash;
    struct tree_info info;
    int out_fd;
    struct err *failure; /* of the write callback, which can tell libarchive only that there was one */
};

static void packer_done(struct packer *p)
{
    if (p->tar)
        (void)archive_write_free(p->tar);
    archive_entry_free(p->entry);
    (void)ZSTD_freeCCtx(p->zstd);
    for (size_t i = 0; i < p->n; i++)
        free(p->items[i].path);
    free(p->items);
    free(p->chunk);
    free(p->out);
    sha256_free(p->raw_hash);
    sha256_free(p->hash);
    err_free(p->failure);
}

static struct err *add_item(struct packer *p, const char *path, size_t len, const struct tree_file *file)
{
    struct item *items = reallocarray(p->items, p->n + 1, sizeof *items);
    if (!items)
        return err_os(ENOMEM, "pack");
    p->items = items;
    char *copy = strndup(path, len);
    if (!copy)
        return err_os(ENOMEM, "pack");
    p->items[p->n++] = (struct item){.path = copy, .file = file};
    return NULL;
}

static bool is_folder(const struct item *it, const char *path, size_t len)
{
    return !it->file && strncmp(it->path, path, len) == 0 && it->path[len] == '\0';
}

static struct err *add_folders(struct packer *p, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path), i = 0;
        while (i < p->n && !is_folder(&p->items[i], path, len))
            i++;
        if (i == p->n)
            TRY(add_item(p, path, len, NULL));
    }
    return NULL;
}

static struct err *check_file(const struct tree_file *f)
{
    TRY(tree_check_path(f->path));
    if (f->link)
        return tree_check_link(f->path, f->link);
    if (!f->source)
        return err_new(ERR_FAILED, "%s: neither a source nor a link", f->path);
    if (f->mode & ~(mode_t)0777)
        return err_new(ERR_FAILED, "E_PATH: %s: mode 0%o has more than permission bits", f->path, (unsigned)f->mode);
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

/* Everything that goes in, sorted; a folder sorts before what it holds. */
static struct err *collect(struct packer *p, const struct tree_file files[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        TRY(check_file(&files[i]));
        TRY(add_folders(p, files[i].path));
        TRY(add_item(p, files[i].path, strlen(files[i].path), &files[i]));
    }
    if (p->n)
        qsort(p->items, p->n, sizeof *p->items, by_path);
    for (size_t i = 1; i < p->n; i++)
        if (strcmp(p->items[i - 1].path, p->items[i].path) == 0)
            return err_new(ERR_FAILED, "E_PATH: %s is named twice", p->items[i].path);
    return NULL;
}

/* Sizes of the sources, and with them of the archive: the frame states it before its first byte. */
static struct err *measure(struct packer *p)
{
    p->info.raw_size = 1024; /* end mark */
    for (size_t i = 0; i < p->n; i++) {
        struct item *it = &p->items[i];
        struct stat st = {0};
        if (it->file && it->file->source) {
            if (stat(it->file->source, &st) < 0)
                return err_os(errno, "%s", it->file->source);
            if (!S_ISREG(st.st_mode))
                return err_new(ERR_FAILED, "%s is not a regular file", it->file->source);
        }
        it->size = (uint64_t)st.st_size;
        p->info.raw_size += ustar_span(it->size);
    }
    return NULL;
}

static struct err *compress(struct packer *p, const void *at, size_t n, ZSTD_EndDirective mode)
{
    ZSTD_inBuffer in = {.src = at, .size = n};
    for (;;) {
        ZSTD_outBuffer out = {.dst = p->out, .size = CHUNK};
        size_t left = ZSTD_compressStream2(p->zstd, &out, &in, mode);
        if (ZSTD_isError(left))
            return err_new(ERR_FAILED, "zstd: %s", ZSTD_getErrorName(left));
        TRY(sha256_add(p->hash, p->out, out.pos));
        TRY(fd_write_all(p->out_fd, p->out, out.pos));
        p->info.size += out.pos;
        if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size)
            return NULL;
    }
}

static la_ssize_t on_write(struct archive *a, void *self, const void *at, size_t n)
{
    struct packer *p = self;
    p->failure = sha256_add(p->raw_hash, at, n);
    if (!p->failure)
        p->failure = compress(p, at, n, ZSTD_e_continue);
    if (!p->failure)
        return (la_ssize_t)n;
    archive_set_error(a, EIO, "stopped");
    return -1;
}

/* libarchive reports warnings (a name it had to change, say) as success of a kind: here they are errors. */
static struct err *tar_err(struct packer *p, const char *path)
{
    const char *why = archive_error_string(p->tar);
    struct err *e = p->failure ? TAKE(p->failure) : err_new(ERR_FAILED, "tar: %s", why ? why : "unknown trouble");
    return err_wrap(e, "pack %s", path);
}

static struct err *set_up(struct packer *p, int out_fd, int level)
{
    p->out_fd = out_fd;
    p->chunk = malloc(CHUNK);
    p->out = malloc(CHUNK);
    p->zstd = ZSTD_createCCtx();
    p->entry = archive_entry_new();
    p->tar = archive_write_new();
    if (!p->chunk || !p->out || !p->zstd || !p->entry || !p->tar)
        return err_os(ENOMEM, "pack");
    TRY(sha256_new(&p->hash));
    TRY(sha256_new(&p->raw_hash));
    /* No workers: each would hold tens of MB, and a build packs only what is new. */
    const struct {
        ZSTD_cParameter name;
        int value;
    } settings[] = {{ZSTD_c_compressionLevel, level},
                    {ZSTD_c_checksumFlag, 1},
                    {ZSTD_c_windowLog, level > 9 ? TREE_WINDOW_LOG_MAX : 0}};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        size_t rc = ZSTD_CCtx_setParameter(p->zstd, settings[i].name, settings[i].value);
        if (ZSTD_isError(rc))
            return err_new(ERR_FAILED, "zstd: %s", ZSTD_getErrorName(rc));
    }
    if (ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(p->zstd, p->info.raw_size)))
        return err_new(ERR_FAILED, "zstd: size");
    if (archive_write_set_format_ustar(p->tar) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(p->tar, 0) != ARCHIVE_OK ||
        archive_write_open(p->tar, p, NULL, on_write, NULL) != ARCHIVE_OK)
        return tar_err(p, "");
    return NULL;
}

static void describe(struct packer *p, const struct item *it)
{
    const struct tree_file *f = it->file;
    struct archive_entry *e = archive_entry_clear(p->entry);
    archive_entry_set_pathname(e, it->path);
    archive_entry_set_uid(e, 0);
    archive_entry_set_gid(e, 0);
    archive_entry_set_mtime(e, 0, 0);
    archive_entry_set_filetype(e, !f ? AE_IFDIR : f->link ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(e, !f ? 0755 : f->link ? 0777 : f->mode);
    archive_entry_set_size(e, (la_int64_t)it->size);
    if (f && f->link)
        archive_entry_set_symlink(e, f->link);
}

static struct err *put_body(struct packer *p, const struct item *it)
{
    const struct tree_file *f = it->file;
    OWN_FD int fd = open(f->source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "%s", f->source);
    OWN_SHA256 struct sha256 *hash = NULL;
    char digest[DIGEST_HEX];
    TRY(sha256_new(&hash));
    for (uint64_t left = it->size; left;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        TRY_CTX(fd_read_exact(fd, p->chunk, n, NULL), "%s", f->source);
        TRY(sha256_add(hash, p->chunk, n));
        if (archive_write_data(p->tar, p->chunk, n) != (la_ssize_t)n)
            return tar_err(p, it->path);
        left -= n;
    }
    TRY(sha256_hex(hash, digest));
    if (f->sha256 && strcmp(f->sha256, digest) != 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: %s: sha256 is %s, wanted %s", f->source, digest, f->sha256),
                        "delete that file, and fetch or make it again");
    return NULL;
}

static struct err *put_items(struct packer *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct item *it = &p->items[i];
        describe(p, it);
        if (archive_write_header(p->tar, p->entry) != ARCHIVE_OK)
            return tar_err(p, it->path);
        if (it->size)
            TRY(put_body(p, it));
    }
    return archive_write_close(p->tar) == ARCHIVE_OK ? NULL : tar_err(p, "end");
}

const char *tree_codec(void)
{
    return "zstd " ZSTD_VERSION_STRING ", no workers";
}

struct err *tree_pack(struct tree_info *ret, int out_fd, const struct tree_file files[], size_t n, int level)
{
    OWN(packer_done) struct packer p = {0};
    if (n == 0)
        return err_new(ERR_FAILED, "a package without files");
    TRY(collect(&p, files, n));
    TRY(measure(&p));
    TRY(set_up(&p, out_fd, level));
    TRY(put_items(&p));
    TRY(compress(&p, "", 0, ZSTD_e_end)); /* refuses when the size stated before was not met */
    TRY(sha256_hex(p.raw_hash, p.info.raw_digest));
    TRY(sha256_hex(p.hash, p.info.digest));
    *ret = p.info;
    return NULL;
}
