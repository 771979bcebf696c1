#include "node/leftovers.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define ROUNDS 50
#define ROUND_MS 100
#define CGROUPS "/sys/fs/cgroup"

struct process {
    int64_t pid, parent;
    bool ours;
};

static int64_t parent_of(const char *pid)
{
    OWN_FREE char *path = str_fmt("/proc/%s/stat", pid);
    OWN_BUF struct buf stat = {.max = 65536};
    if (!path)
        return 0;
    err_ignore(file_read(&stat, AT_FDCWD, path));   /* just ended */
    const char *at = strrchr(buf_text(&stat), ')'); /* the name may hold anything */
    long parent = 0;
    return at && sscanf(at, ") %*c %ld", &parent) == 1 ? parent : 0;
}

static bool program_is_ours(const char *pid)
{
    OWN_FREE char *path = str_fmt("/proc/%s/exe", pid);
    char target[512];
    ssize_t n = path ? readlink(path, target, sizeof target - 1) : -1;
    target[n > 0 ? n : 0] = '\0';
    if (!str_starts(target, "/" NODE_BASE "/tree/"))
        return false;
    /* A process in a container of its own may see a file of that name which is not ours. */
    struct stat theirs, ours;
    return stat(path, &theirs) == 0 && stat(target, &ours) == 0 && theirs.st_dev == ours.st_dev &&
           theirs.st_ino == ours.st_ino;
}

static bool cgroup_is_named(const char *pid, const struct doc *cgroups)
{
    OWN_FREE char *path = str_fmt("/proc/%s/cgroup", pid);
    OWN_BUF struct buf text = {.max = 65536};
    if (!path || !cgroups)
        return false;
    err_ignore(file_read(&text, AT_FDCWD, path)); /* just ended */
    char *save = NULL;
    for (char *part = text.at ? strtok_r(text.at, "/\n", &save) : NULL; part; part = strtok_r(NULL, "/\n", &save))
        if (doc_list_has(cgroups, part))
            return true;
    return false;
}

static bool parent_is_ours(const struct process *all, size_t n, int64_t parent)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].pid == parent)
            return all[i].ours;
    return false;
}

/* Marks the descendants of those that are ours. */
static void descendants_mark(struct process *all, size_t n)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n; i++) {
            if (all[i].ours || !parent_is_ours(all, n, all[i].parent))
                continue;
            all[i].ours = true;
            more = true;
        }
    }
}

/* One sweep; *ret counts those found. */
static struct err *kill_round(size_t *ret, const struct doc *cgroups)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, AT_FDCWD, "/proc"));
    OWN_FREE struct process *all = calloc(names.n + 1, sizeof *all);
    size_t n = 0;
    if (!all)
        return err_os(ENOMEM, "processes");
    for (size_t i = 0; i < names.n; i++) {
        int64_t pid = 0;
        if (!str_int(names.at[i], 2, INT32_MAX, &pid) || pid == getpid())
            continue;
        all[n++] = (struct process){.pid = pid,
                                    .parent = parent_of(names.at[i]),
                                    .ours = program_is_ours(names.at[i]) || cgroup_is_named(names.at[i], cgroups)};
    }
    descendants_mark(all, n);
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        if (!all[i].ours)
            continue;
        ++*ret;
        (void)kill((pid_t)all[i].pid, SIGKILL); /* gone already: as wanted */
    }
    return NULL;
}

struct err *leftovers_kill(const struct doc *cgroups)
{
    size_t found = 1;
    for (int round = 0; round < ROUNDS; round++) {
        TRY(kill_round(&found, cgroups));
        if (!found)
            return NULL;
        clock_sleep_ms(ROUND_MS);
    }
    return err_new(ERR_FAILED, "%zu processes of this node cannot be killed", found);
}

/* ---- cgroups ---- */

/* Their files go with them; only folders can be deleted, deepest first. */
static struct err *cgroup_drop(int parent, const char *name)
{
    OWN_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    OWN_STRS struct strs names = {0};
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? NULL : err_os(errno, "open cgroup %s", name);
    TRY(dir_names(&names, fd, "."));
    for (size_t i = 0; i < names.n; i++)
        TRY(cgroup_drop(fd, names.at[i]));
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_os(errno, "delete cgroup %s", name);
    return NULL;
}

/* At the top of the one hierarchy (v2), and of each of the many (v1). */
struct err *leftovers_cgroups_drop(const struct doc *cgroups)
{
    OWN_STRS struct strs tops = {0};
    TRY(dir_names(&tops, AT_FDCWD, CGROUPS));
    TRY(strs_add(&tops, "."));
    for (size_t i = 0; i < tops.n; i++) {
        OWN_FREE char *path = str_fmt(CGROUPS "/%s", tops.at[i]);
        OWN_FD int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd < 0)
            continue; /* a file of the hierarchy's own */
        DOC_EACH (name, cgroups)
            if (name_is_plain(name->text))
                TRY(cgroup_drop(fd, name->text));
    }
    return NULL;
}

/* ---- mounts ---- */

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        unsigned c = 0;
        if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1 && c < 256) {
            *to++ = (char)c;
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* `root` and `path` are the two halves of a folder's absolute name. */
static bool is_below(const char *mount, const char *root, const char *path)
{
    size_t r = strlen(root), p = strlen(path);
    return strncmp(mount, root, r) == 0 && strncmp(mount + r, path, p) == 0 && mount[r + p] == '/';
}

struct err *leftovers_unmount(const struct node *n, const struct strs *paths)
{
    OWN_BUF struct buf text = {.max = 64 << 20};
    OWN_STRS struct strs found = {0};
    TRY(file_read(&text, AT_FDCWD, "/proc/self/mountinfo"));
    char *save = NULL;
    for (char *line = strtok_r(text.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char where[4096];
        if (sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
            continue;
        unescape(where);
        for (size_t i = 0; i < paths->n; i++)
            if (is_below(where, n->root, paths->at[i])) {
                TRY(strs_add(&found, where));
                break;
            }
    }
    for (size_t i = found.n; i > 0; i--) /* the table is in the order of mounting */
        if (umount2(found.at[i - 1], MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
            return err_os(errno, "unmount %s", found.at[i - 1]);
    return NULL;
}
