#include "node/kernel.h"

#include "base/child.h"
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BEFORE NODE_BASE "/sysctl.before"
#define VALUE_MAX 256 /* bytes of a setting */

/* Whole word `name` in a file of lines, such as /proc/filesystems. */
static bool file_has_word(const struct node *n, const char *path, const char *name)
{
    OWN_BUF struct buf b = {.max = 1 << 20};
    struct err *e = file_read(&b, n->rootfd, path);
    err_ignore(e); /* no such file: no such word */
    size_t len = strlen(name);
    for (const char *at = buf_text(&b); (at = strstr(at, name)); at += len)
        if ((at == b.at || strchr(" \t\n/", at[-1])) && strchr(" \t\n.", at[len]))
            return true;
    return false;
}

/* Module names show with '_' in /sys, whatever was asked for. */
static bool module_is_there(const struct node *n, const char *name)
{
    OWN_FREE char *path = str_fmt("sys/module/%s", name);
    if (!path)
        return false;
    for (char *at = path + strlen("sys/module/"); *at; at++)
        if (*at == '-')
            *at = '_';
    return file_exists(n->rootfd, path) || file_has_word(n, "proc/filesystems", name);
}

/* `shows` is a path that exists when the feature does, for kernels that have it built in and name it nowhere. */
static bool feature_is_there(const struct node *n, const char *name, const char *shows)
{
    return n->simulated || module_is_there(n, name) || (shows && file_exists(n->rootfd, node_below(shows)));
}

bool kernel_offers(const struct node *n, const char *name, const char *shows)
{
    const char *argv[] = {"modprobe", "-n", "-q", "--", name, NULL};
    if (feature_is_there(n, name, shows))
        return true;
    struct err *e = child_run(argv, &(struct child_opts){.timeout_ms = 30000}, NULL);
    bool can = !e;
    err_ignore(e); /* no such module, or no modprobe */
    return can;
}

static struct err *module_load(const struct node *n, const char *name, const char *shows)
{
    if (feature_is_there(n, name, shows))
        return NULL;
    const char *argv[] = {"modprobe", "--", name, NULL};
    struct err *e = child_run(argv, &(struct child_opts){.timeout_ms = 30000}, NULL);
    if (!e) {
        err_free(e);
        return NULL;
    }
    return err_hint(err_wrap(e, "kernel module %s", name), "this kernel has no %s: install its modules package", name);
}

/* "net.ipv4.ip_forward" to its file; a key with '/' is taken as it is. */
static char *setting_path(const char *key)
{
    char *path = str_fmt("proc/sys/%s", key);
    if (path && !strchr(key, '/'))
        for (char *at = path + strlen("proc/sys/"); *at; at++)
            if (*at == '.')
                *at = '/';
    return path;
}

/* The file of a setting, and its value now without the line's end; "" for one that a simulated node has not yet. */
static struct err *setting_open(int *ret_fd, char have[VALUE_MAX], const struct node *n, const char *key)
{
    OWN_FREE char *path = setting_path(key);
    if (!path)
        return err_os(ENOMEM, "kernel setting");
    if (n->simulated) {
        OWN_FREE char *folder = strdup(path);
        if (!folder)
            return err_os(ENOMEM, "kernel setting");
        *strrchr(folder, '/') = '\0';
        TRY(file_mkdirs(n->rootfd, folder, 0755));
    }
    OWN_FD int fd = openat(n->rootfd, path, O_RDWR | O_CLOEXEC | (n->simulated ? O_CREAT : 0), 0644);
    if (fd < 0)
        return err_os(errno, "kernel setting %s", key);
    ssize_t len = pread(fd, have, VALUE_MAX - 1, 0);
    while (len > 0 && strchr(" \t\n", have[len - 1]))
        len--;
    have[len > 0 ? len : 0] = '\0';
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

/* Not written when it is right: some settings can be read but not written in a container. */
static struct err *setting_write(const struct node *n, int fd, const char *have, const char *key, const char *value)
{
    if (str_eq(have, value))
        return NULL;
    if (n->simulated && ftruncate(fd, 0) < 0)
        return err_os(errno, "kernel setting %s", key);
    return err_wrap(fd_write_all(fd, value, strlen(value)), "kernel setting %s = %s", key, value);
}

/* What the machine had before us is on the disk before it is changed for the first time. */
static struct err *setting_apply(const struct node *n, struct doc *before, const char *key, const char *value)
{
    char have[VALUE_MAX];
    OWN_FD int fd = -1;
    TRY(setting_open(&fd, have, n, key));
    if (*have && !str_eq(have, value) && !doc_get(before, key)) {
        doc_set_text(before, key, have);
        TRY(json_store(n->rootfd, BEFORE, before));
    }
    return setting_write(n, fd, have, key, value);
}

struct err *kernel_apply(const struct node *n, const struct doc *manifest)
{
    OWN_DOC struct doc *before = NULL;
    DOC_EACH (v, doc_get(manifest, "modules"))
        TRY(module_load(n, doc_text(v, "name"), doc_text(v, "shows")));
    TRY(json_load(&before, n->rootfd, BEFORE));
    if (!before)
        before = doc_new_map();
    DOC_EACH (v, doc_get(manifest, "sysctl"))
        TRY(setting_apply(n, before, v->key, v->text));
    return NULL;
}

struct err *kernel_restore(const struct node *n)
{
    OWN_DOC struct doc *before = NULL;
    TRY(json_load(&before, n->rootfd, BEFORE));
    DOC_EACH (v, before) {
        char have[VALUE_MAX];
        OWN_FD int fd = -1;
        struct err *e = setting_open(&fd, have, n, v->key);
        if (!e)
            e = setting_write(n, fd, have, v->key, v->text);
        if (e && err_errno(e) != ENOENT)
            return e;
        err_free(e); /* gone with its module or interface */
    }
    return NULL;
}
