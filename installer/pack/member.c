#include "pack/member.h"

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { CHUNK = 256 << 10 };

struct search {
    struct archive *tar;
    const char *name;
    uint64_t max;
    int out;
    uint64_t entries, bytes;
    bool found;
};

static void search_done(struct search *s)
{
    (void)archive_read_free(s->tar); /* NULL is fine */
}

static struct err *archive_err(const struct search *s)
{
    char why[200];
    const char *text = archive_error_string(s->tar);
    (void)snprintf(why, sizeof why, "%s", text ? text : "no tar archive");
    text_clean(why, strlen(why), 0);
    return err_new(ERR_UNTRUSTED, "E_ARCHIVE: %s", why);
}

static bool is_wanted(const struct search *s, struct archive_entry *e)
{
    const char *name = archive_entry_pathname(e);
    while (name && str_starts(name, "./"))
        name += 2;
    return str_eq(name, s->name);
}

static struct err *copy_out(const struct search *s, uint64_t size)
{
    OWN_FREE char *room = malloc(CHUNK);
    if (!room)
        return err_os(ENOMEM, "archive");
    for (la_ssize_t n; (n = archive_read_data(s->tar, room, CHUNK)) != 0; size -= (uint64_t)n) {
        if (n < 0 || (uint64_t)n > size)
            return archive_err(s);
        TRY(fd_write_all(s->out, room, (size_t)n));
    }
    return size ? archive_err(s) : NULL;
}

static struct err *take(struct search *s, struct archive_entry *e)
{
    la_int64_t size = archive_entry_size(e);
    if (s->found)
        return err_new(ERR_UNTRUSTED, "E_ARCHIVE: member \"%s\" is there twice", s->name);
    if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
        return err_new(ERR_UNTRUSTED, "E_ARCHIVE: member \"%s\" is no regular file", s->name);
    if (size <= 0 || (uint64_t)size > s->max)
        return err_new(ERR_UNTRUSTED, "E_ARCHIVE: member \"%s\" has %lld bytes; 1 to %llu are allowed", s->name,
                       (long long)size, (unsigned long long)s->max);
    s->found = true;
    return copy_out(s, (uint64_t)size);
}

static struct err *visit(struct search *s, struct archive_entry *e)
{
    la_int64_t size = archive_entry_size(e);
    s->bytes += size > 0 ? (uint64_t)size : 0;
    if (++s->entries > MEMBER_ENTRIES_MAX || s->bytes > MEMBER_BYTES_MAX || size > (la_int64_t)MEMBER_BYTES_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d members or %llu bytes in an archive", MEMBER_ENTRIES_MAX,
                       (unsigned long long)MEMBER_BYTES_MAX);
    return is_wanted(s, e) ? take(s, e) : NULL;
}

static bool open_tar(const struct search *s, int in_fd)
{
    return archive_read_support_format_tar(s->tar) == ARCHIVE_OK &&
           archive_read_support_filter_gzip(s->tar) == ARCHIVE_OK &&
           archive_read_support_filter_xz(s->tar) == ARCHIVE_OK &&
           archive_read_support_filter_zstd(s->tar) == ARCHIVE_OK &&
           archive_read_open_fd(s->tar, in_fd, CHUNK) == ARCHIVE_OK;
}

struct err *member_extract(int in_fd, const char *name, uint64_t max, int out_fd)
{
    OWN(search_done) struct search s = {.tar = archive_read_new(), .name = name, .max = max, .out = out_fd};
    if (!s.tar)
        return err_os(ENOMEM, "archive");
    if (!open_tar(&s, in_fd))
        return archive_err(&s);
    for (;;) {
        struct archive_entry *e;
        int rc = archive_read_next_header(s.tar, &e);
        if (rc == ARCHIVE_EOF)
            break;
        if (rc < ARCHIVE_WARN)
            return archive_err(&s);
        TRY(visit(&s, e));
    }
    if (s.found)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_ARCHIVE: there is no member \"%s\"", name),
                    "tar -tf lists what is in it");
}
