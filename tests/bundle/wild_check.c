/*
 * wild_check FILE...: archives that others made, through every reader of ours that a stranger's bytes can reach. A line
 * for each: READER, FILE, "ok" or the refusal; in front of an "ok" READER, FILE, "entry", size and path of each file
 * and link.
 */
#include "base/file.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "pack/layer.h"
#include "pack/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define RAW_MAX (UINT64_C(64) << 20)

static const char *reader, *file;

static void say(struct err *e)
{
    const char *word = !e ? "ok" : err_kind(e) == ERR_UNTRUSTED ? "refused" : "trouble";
    (void)printf("%s\t%s\t%s\t%s\n", reader, file, word, e ? err_text(e) : "");
    (void)fflush(stdout);
    err_free(e);
}

static void say_entry(const char *path, uint64_t size)
{
    (void)printf("%s\t%s\tentry\t%llu\t%s\n", reader, file, (unsigned long long)size, path);
}

/* ---- as a bundle ---- */

static struct err *look(void)
{
    OWN_SOURCE struct source *s = NULL;
    TRY(source_open(&s, file));
    return bundle_look(s);
}

/* ---- as a layer ---- */

static struct err *visit(void *self, const struct layer_entry *e, int fd)
{
    (void)self;
    (void)fd;
    say_entry(e->path, e->size);
    return NULL;
}

static struct err *layer(void)
{
    OWN_FD int fd = open(file, O_RDONLY | O_CLOEXEC), scratch = memfd_create("scratch", MFD_CLOEXEC);
    return layer_read(fd, scratch, visit, NULL);
}

/* ---- as a package: as it is, and in the frame that a package has ---- */

static int say_path(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)kind;
    if (at->level && !S_ISDIR(st->st_mode))
        say_entry(path + 2, S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0);
    return 0;
}

static struct err *unpack(int fd)
{
    char folder[] = "/tmp/caisson-wild.XXXXXX";
    if (!mkdtemp(folder))
        return err_new(ERR_FAILED, "mkdtemp");
    OWN_FD int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err *e = tree_unpack(fd, dirfd, RAW_MAX);
    if (!e && (fchdir(dirfd) < 0 || nftw(".", say_path, 16, FTW_PHYS) < 0))
        e = err_new(ERR_FAILED, "list");
    if (chdir("/") < 0)
        abort();
    err_ignore(file_remove_tree(AT_FDCWD, folder));
    return e;
}

static struct err *package(void)
{
    OWN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    return unpack(fd);
}

static struct err *framed(void)
{
    OWN_BUF struct buf raw = {.max = RAW_MAX};
    TRY(file_read(&raw, AT_FDCWD, file));
    size_t max = ZSTD_compressBound(raw.len);
    OWN_FREE char *out = malloc(max);
    OWN_FD int fd = memfd_create("package", MFD_CLOEXEC);
    size_t n = out ? ZSTD_compress(out, max, raw.at ? raw.at : "", raw.len, 1) : 0;
    if (!out || ZSTD_isError(n))
        return err_new(ERR_FAILED, "compress");
    TRY(fd_write_all(fd, out, n));
    return lseek(fd, 0, SEEK_SET) < 0 ? err_new(ERR_FAILED, "seek") : unpack(fd);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        struct err *(*read)(void);
    } readers[] = {{"bundle", look}, {"layer", layer}, {"package", package}, {"framed", framed}};
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < ARRAY_LEN(readers); k++) {
            reader = readers[k].name;
            file = argv[i];
            say(readers[k].read());
        }
    return 0;
}
