/* The real thing: systemctl and journalctl, by argument vector. */
#include "base/child.h"
#include "base/clock.h"
#include "base/own.h"
#include "node/node.h"
#include "node/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_TIMEOUT_MS (15 * 60 * 1000) /* systemd has each unit's own limit; this is for systemctl itself */
#define CALL_TIMEOUT_MS (90 * 1000)

/* Runs head[0..n_head) followed by the units. */
static struct err *systemctl(const char *const head[], size_t n_head, const struct strs *units,
                             const struct child_opts *o)
{
    const char **argv = calloc(n_head + (units ? units->n : 0) + 1, sizeof *argv);
    if (!argv)
        return err_os(ENOMEM, "systemctl");
    memcpy(argv, head, n_head * sizeof *argv);
    for (size_t i = 0; units && i < units->n; i++)
        argv[n_head + i] = units->at[i];
    struct err *e = child_run(argv, o, NULL);
    free(argv);
    return e;
}

static struct err *systemd_reload(struct node *n)
{
    (void)n;
    static const char *const head[] = {"systemctl", "daemon-reload"};
    return systemctl(head, 2, NULL, &(struct child_opts){.timeout_ms = CALL_TIMEOUT_MS});
}

static struct err *systemd_restart(struct node *n, const struct strs *units)
{
    (void)n;
    static const char *const forget[] = {"systemctl", "reset-failed", "--"};
    static const char *const head[] = {"systemctl", "restart", "--no-block", "--"};
    if (!units->n)
        return NULL;
    /* A unit that ran into its start limit would refuse; one that is not loaded yet makes this fail. */
    err_ignore(systemctl(forget, 3, units, &(struct child_opts){.timeout_ms = CALL_TIMEOUT_MS}));
    return systemctl(head, 4, units, &(struct child_opts){.timeout_ms = CALL_TIMEOUT_MS});
}

static struct err *systemd_stop(struct node *n, const struct strs *units)
{
    (void)n;
    static const char *const forget[] = {"systemctl", "reset-failed", "--"};
    static const char *const head[] = {"systemctl", "stop", "--"};
    if (!units->n)
        return NULL;
    struct err *e = systemctl(head, 3, units, &(struct child_opts){.timeout_ms = STOP_TIMEOUT_MS});
    err_ignore(systemctl(forget, 3, units, &(struct child_opts){.timeout_ms = CALL_TIMEOUT_MS})); /* none failed */
    if (e && strstr(err_text(e), "exit 5")) { /* a unit that is not loaded does not run */
        err_free(e);
        return NULL;
    }
    return e;
}

static void status_line(struct unit_status *st, const char *key, const char *value)
{
    if (str_eq(key, "ActiveState"))
        (void)snprintf(st->active, sizeof st->active, "%s", value);
    else if (str_eq(key, "SubState"))
        (void)snprintf(st->sub, sizeof st->sub, "%s", value);
    else if (str_eq(key, "InvocationID"))
        (void)snprintf(st->invocation, sizeof st->invocation, "%s", value);
    else if (str_eq(key, "MainPID"))
        st->pid = strtoll(value, NULL, 10);
    else if (str_eq(key, "NRestarts"))
        st->restarts = strtoll(value, NULL, 10);
    else if (str_eq(key, "ActiveEnterTimestampMonotonic"))
        st->since_ms = strtoll(value, NULL, 10) / 1000;
}

/* Blocks of KEY=VALUE lines, one block for each unit in the order asked, blank lines between them. */
static struct err *status_parse(char *text, size_t n, struct unit_status *ret)
{
    size_t at = 0;
    bool in_block = false;
    char *line = text;
    while (line && *line && at < n) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        char *eq = strchr(line, '=');
        if (!*line && in_block) {
            at++;
            in_block = false;
        } else if (eq) {
            *eq = '\0';
            in_block = true;
            status_line(&ret[at], line, eq + 1);
        }
        line = end ? end + 1 : NULL;
    }
    if (at + in_block != n)
        return err_new(ERR_FAILED, "systemctl show told of %zu of %zu units", at + in_block, n);
    return NULL;
}

static struct err *systemd_status(struct node *n, const struct strs *units, struct unit_status *ret)
{
    (void)n;
    static const char *const head[] = {
        "systemctl", "show", "--no-pager",
        "--property=ActiveState,SubState,InvocationID,MainPID,NRestarts,ActiveEnterTimestampMonotonic", "--"};
    OWN_BUF struct buf out = {.max = 4 << 20};
    memset(ret, 0, units->n * sizeof *ret);
    if (!units->n)
        return NULL;
    TRY(systemctl(head, 5, units, &(struct child_opts){.output = &out, .timeout_ms = CALL_TIMEOUT_MS}));
    TRY(buf_str(&out, ""));
    return status_parse(out.at, units->n, ret);
}

static struct err *systemd_log(struct node *n, const char *unit, int lines, struct buf *out)
{
    (void)n;
    char count[16];
    (void)snprintf(count, sizeof count, "%d", lines);
    const char *argv[] = {"journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", count, "-u", unit, NULL};
    return child_run(argv, &(struct child_opts){.output = out, .timeout_ms = 20000}, NULL);
}

const struct unit_manager units_systemd = {
    .real_probes = true,
    .reload = systemd_reload,
    .restart = systemd_restart,
    .stop = systemd_stop,
    .status = systemd_status,
    .log = systemd_log,
};
