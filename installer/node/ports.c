#include "node/ports.h"

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "node/node.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Name of the process that has the socket open, into `ret`. */
static void owner_of(char ret[64], unsigned long inode)
{
    char want[64];
    OWN_STRS struct strs pids = {0};
    (void)snprintf(ret, 64, "?");
    (void)snprintf(want, sizeof want, "socket:[%lu]", inode);
    err_ignore(dir_names(&pids, AT_FDCWD, "/proc")); /* then nobody is found */
    for (size_t i = 0; i < pids.n; i++) {
        int64_t pid = 0;
        OWN_FREE char *folder = str_fmt("/proc/%s/fd", pids.at[i]);
        OWN_STRS struct strs fds = {0};
        if (!folder || !str_int(pids.at[i], 1, INT32_MAX, &pid))
            continue;
        err_ignore(dir_names(&fds, AT_FDCWD, folder)); /* a process that has just ended, or is not ours to look at */
        for (size_t k = 0; k < fds.n; k++) {
            OWN_FREE char *path = str_fmt("%s/%s", folder, fds.at[k]);
            char target[64];
            ssize_t n = path ? readlink(path, target, sizeof target - 1) : -1;
            target[n > 0 ? n : 0] = '\0';
            if (!str_eq(target, want))
                continue;
            OWN_FREE char *comm = str_fmt("/proc/%s/comm", pids.at[i]);
            OWN_BUF struct buf name = {.max = 4096};
            if (comm)
                err_ignore(file_read(&name, AT_FDCWD, comm));
            if (name.len)
                (void)snprintf(ret, 64, "%.*s", (int)strcspn(name.at, "\n"), name.at);
            return;
        }
    }
}

/* A line of /proc/net/tcp: sl local_address rem_address st ... inode; state 0A is LISTEN. */
static void line_take(struct doc *map, const struct doc *ports, const char *line)
{
    unsigned port = 0, state = 0;
    unsigned long inode = 0;
    char key[16], name[64];
    if (sscanf(line, "%*d: %*64[0-9A-Fa-f]:%4x %*64[0-9A-Fa-f]:%*4x %2x %*s %*s %*s %*u %*u %lu", &port, &state,
               &inode) != 3)
        return;
    (void)snprintf(key, sizeof key, "%u", port);
    if (state != 0x0a || doc_get(map, key) || !doc_list_has(ports, key))
        return;
    owner_of(name, inode);
    doc_set_text(map, key, name);
}

void ports_in_use(struct doc *map, const struct doc *ports)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        OWN_BUF struct buf text = {0};
        err_ignore(file_read(&text, AT_FDCWD, tables[i])); /* no such protocol here */
        char *save = NULL;
        for (char *line = text.at ? strtok_r(text.at, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
            line_take(map, ports, line);
    }
}
