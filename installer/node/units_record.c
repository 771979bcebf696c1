/*
 * A unit manager that only records, for --root: below <root>/run/simulated it keeps state/<unit> and appends to
 * actions what it was told, one "restart NAME" a line. A unit file may say how its start goes:
 *   [X-Simulate]
 *   Fail=yes        it fails
 *   DelayMs=500     it becomes active only then
 *   Restarts=5      it was started again so often
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"
#include "node/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD "run/simulated"

static struct err *record_action(const struct node *n, const char *verb, const char *unit)
{
    TRY(file_mkdirs(n->rootfd, RECORD "/state", 0755));
    OWN_FD int fd = openat(n->rootfd, RECORD "/actions", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    OWN_FREE char *line = str_fmt("%s %s\n", verb, unit);
    if (fd < 0 || !line)
        return err_os(errno, "record");
    return fd_write_all(fd, line, strlen(line));
}

static struct err *record_reload(struct node *n)
{
    return record_action(n, "reload", "-");
}

/* Value of `key` in the unit file that systemd would see now, or NULL. */
static char *unit_setting(const struct node *n, const char *unit, const char *key)
{
    OWN_FREE char *path = str_fmt(NODE_BASE "/current/units/%s", unit);
    OWN_BUF struct buf text = {0};
    if (!path)
        return NULL;
    err_ignore(file_read(&text, n->rootfd, path)); /* not there: no setting */
    const char *at = strstr(buf_text(&text), key);
    return at ? strndup(at + strlen(key), strcspn(at + strlen(key), "\n")) : NULL;
}

static struct err *record_restart(struct node *n, const struct strs *units)
{
    for (size_t i = 0; i < units->n; i++) {
        const char *unit = units->at[i];
        OWN_FREE char *fail = unit_setting(n, unit, "\nFail=");
        OWN_FREE char *delay = unit_setting(n, unit, "\nDelayMs=");
        OWN_FREE char *path = str_fmt(RECORD "/state/%s", unit);
        int64_t since = clock_ms() + (delay ? strtoll(delay, NULL, 10) : 0);
        OWN_FREE char *state = str_fmt("%s %lld", str_eq(fail, "yes") ? "failed" : "active", (long long)since);
        if (!path || !state)
            return err_os(ENOMEM, "record");
        TRY(record_action(n, "restart", unit));
        TRY(file_replace(n->rootfd, path, state, strlen(state), 0644));
    }
    return NULL;
}

static struct err *record_stop(struct node *n, const struct strs *units)
{
    for (size_t i = 0; i < units->n; i++) {
        OWN_FREE char *path = str_fmt(RECORD "/state/%s", units->at[i]);
        if (!path)
            return err_os(ENOMEM, "record");
        TRY(record_action(n, "stop", units->at[i]));
        TRY(file_remove_tree(n->rootfd, path));
    }
    return NULL;
}

static struct err *record_status(struct node *n, const struct strs *units, struct unit_status *ret)
{
    for (size_t i = 0; i < units->n; i++) {
        OWN_FREE char *path = str_fmt(RECORD "/state/%s", units->at[i]);
        OWN_BUF struct buf text = {0};
        if (!path)
            return err_os(ENOMEM, "record");
        err_ignore(file_read(&text, n->rootfd, path)); /* no record: it does not run */
        OWN_FREE char *restarts = unit_setting(n, units->at[i], "\nRestarts=");
        ret[i] = (struct unit_status){.active = "inactive", .sub = "dead"};
        ret[i].restarts = restarts ? strtoll(restarts, NULL, 10) : 0;
        const char *space = strchr(buf_text(&text), ' ');
        if (!space)
            continue;
        ret[i].since_ms = strtoll(space, NULL, 10);
        bool waiting = str_starts(text.at, "active") && clock_ms() < ret[i].since_ms;
        (void)snprintf(ret[i].active, sizeof ret[i].active, "%.*s", waiting ? 10 : (int)(space - text.at),
                       waiting ? "activating" : text.at);
        (void)snprintf(ret[i].sub, sizeof ret[i].sub, "simulated");
    }
    return NULL;
}

static struct err *record_log(struct node *n, const char *unit, int lines, struct buf *out)
{
    (void)n;
    (void)lines;
    return buf_fmt(out, "simulated node: %s wrote nothing\n", unit);
}

const struct unit_manager units_record = {
    .reload = record_reload,
    .restart = record_restart,
    .stop = record_stop,
    .status = record_status,
    .log = record_log,
};
