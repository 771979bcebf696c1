#include "pack/layer.h"

#include "base/own.h"
#include "base/str.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

enum { CHUNK = 256 << 10 };

struct reader {
    struct archive *tar;
    int scratch;
    uint64_t bytes, entries;
    layer_visit visit;
    void *self;
};

static void reader_done(struct reader *r)
{
    (void)archive_read_free(r->tar); /* NULL is fine */
}

static struct err *tar_err(const struct reader *r)
{
    const char *why = archive_error_string(r->tar);
    return err_new(ERR_UNTRUSTED, "E_LAYER: %s", why ? why : "no tar archive");
}

/* Names in extended headers are UTF-8; those in plain ones are bytes, which may be. */
static const char *either(const char *utf8, const char *bytes)
{
    return utf8 ? utf8 : bytes ? bytes : "\xff";
}

static struct err *check_text(const char *s)
{
    OWN_FREE char *same = strdup(s);
    if (!same)
        return err_os(ENOMEM, "layer");
    text_clean(same, strlen(same), 0);
    return strcmp(s, same) == 0 ? NULL : err_new(ERR_UNTRUSTED, "E_LAYER: the name \"%s\" is not plain UTF-8", same);
}

/* A name, without the "./" that some tools put in front. Borrowed. */
static struct err *path_of(const char **ret, struct archive_entry *e)
{
    const char *path = either(archive_entry_pathname_utf8(e), archive_entry_pathname(e));
    TRY(check_text(path));
    while (str_starts(path, "./"))
        path += 2 + strspn(path + 2, "/");
    if (*path == '/')
        return err_new(ERR_UNTRUSTED, "E_LAYER: the name \"%s\" is not relative", path);
    for (const char *part = path; part; part = strchr(part, '/'), part = part ? part + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return err_new(ERR_UNTRUSTED, "E_LAYER: the name \"%s\" leads out", path);
    *ret = path;
    return NULL;
}

/* NULL for what is no link. Borrowed. */
static struct err *link_of(const char **ret, struct archive_entry *e)
{
    const char *hard = archive_entry_hardlink(e);
    *ret = hard                                    ? hard
           : archive_entry_filetype(e) == AE_IFLNK ? either(archive_entry_symlink_utf8(e), archive_entry_symlink(e))
                                                   : NULL;
    return *ret ? check_text(*ret) : NULL;
}

/* The present file's bytes into the scratch file; holes stay holes. */
static struct err *spill(struct reader *r, uint64_t size)
{
    const char *at;
    size_t n;
    la_int64_t offset;
    r->bytes += size;
    if (r->bytes > LAYER_BYTES_MAX || size > LAYER_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %llu bytes unpacked", (unsigned long long)LAYER_BYTES_MAX);
    if (ftruncate(r->scratch, 0) < 0 || ftruncate(r->scratch, (off_t)size) < 0)
        return err_os(errno, "scratch file");
    for (int rc; (rc = archive_read_data_block(r->tar, (const void **)&at, &n, &offset)) != ARCHIVE_EOF;) {
        if (rc < ARCHIVE_WARN || offset < 0 || (uint64_t)offset + n > size)
            return tar_err(r);
        for (ssize_t done; n; at += done, n -= (size_t)done, offset += done) {
            done = pwrite(r->scratch, at, n, offset);
            if (done < 0)
                return err_os(errno, "scratch file");
        }
    }
    return lseek(r->scratch, 0, SEEK_SET) < 0 ? err_os(errno, "scratch file") : NULL;
}

static bool is_whiteout(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_starts(slash ? slash + 1 : path, ".wh.");
}

static struct err *visit_entry(struct reader *r, struct archive_entry *e)
{
    const char *path = NULL, *link = NULL;
    if (++r->entries > LAYER_ENTRIES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d entries", LAYER_ENTRIES_MAX);
    TRY(path_of(&path, e));
    TRY(link_of(&link, e));
    struct layer_entry entry = {.path = path, .mode = archive_entry_perm(e), .link = link};
    if (is_whiteout(path))
        return NULL;
    if (link)
        return r->visit(r->self, &entry, -1);
    if (archive_entry_filetype(e) != AE_IFREG)
        return NULL;
    if (archive_entry_size(e) < 0)
        return tar_err(r);
    entry.size = (uint64_t)archive_entry_size(e);
    TRY_CTX(spill(r, entry.size), "%s", path);
    return r->visit(r->self, &entry, r->scratch);
}

static bool open_tar(struct reader *r, int in_fd)
{
    return r->tar && archive_read_support_format_tar(r->tar) == ARCHIVE_OK &&
           archive_read_support_filter_gzip(r->tar) == ARCHIVE_OK &&
           archive_read_support_filter_zstd(r->tar) == ARCHIVE_OK &&
           archive_read_open_fd(r->tar, in_fd, CHUNK) == ARCHIVE_OK;
}

struct err *layer_read(int in_fd, int scratch, layer_visit visit, void *self)
{
    OWN(reader_done) struct reader r = {.tar = archive_read_new(), .scratch = scratch, .visit = visit, .self = self};
    if (!r.tar)
        return err_os(ENOMEM, "layer");
    if (!open_tar(&r, in_fd))
        return tar_err(&r);
    for (;;) {
        struct archive_entry *e;
        int rc = archive_read_next_header(r.tar, &e);
        if (rc == ARCHIVE_EOF)
            return NULL;
        if (rc < ARCHIVE_WARN)
            return tar_err(&r);
        TRY(visit_entry(&r, e));
    }
}
