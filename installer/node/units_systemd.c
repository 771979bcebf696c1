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

static bool has_word(const char *line, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = line; (at = strstr(at, word)); at += n)
        if ((at == line || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

/* Units in the order of their stopping. */
struct stopping {
    const struct strs *units;
    struct strs after; /* of each unit: what it says it comes after */
    bool *placed;
    struct strs *ret;
};

/* Behind all that come after it. */
static struct err *stopping_place(struct stopping *s, size_t i)
{
    if (s->placed[i])
        return NULL;
    s->placed[i] = true;
    for (size_t k = 0; k < s->units->n; k++)
        if (has_word(s->after.at[k], s->units->at[i]))
            TRY(stopping_place(s, k));
    return strs_add(s->ret, s->units->at[i]);
}

static struct err *after_read(struct strs *ret, const struct strs *units)
{
    static const char *const head[] = {"systemctl", "show", "--no-pager", "--all", "--property=After", "--"};
    OWN_BUF struct buf out = {.max = 4 << 20};
    TRY(systemctl(head, ARRAY_LEN(head), units, &(struct child_opts){.output = &out, .timeout_ms = CALL_TIMEOUT_MS}));
    TRY(buf_str(&out, ""));
    char *save = NULL;
    for (char *line = strtok_r(out.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (str_starts(line, "After="))
            TRY(strs_add(ret, line + strlen("After=")));
    return ret->n == units->n ? NULL : err_new(ERR_FAILED, "systemctl show told of %zu of %zu units", ret->n, units->n);
}

/*
 * systemctl queues its units one by one, and the first stops before systemd has heard of the last: an API server whose
 * etcd is gone already takes its whole time limit.
 */
static struct err *stop_order(struct strs *ret, const struct strs *units)
{
    OWN_FREE bool *placed = calloc(units->n, sizeof *placed);
    struct stopping s = {.units = units, .placed = placed, .ret = ret};
    struct err *e = placed ? after_read(&s.after, units) : err_os(ENOMEM, "stop units");
    for (size_t i = 0; !e && i < units->n; i++)
        e = stopping_place(&s, i);
    strs_done(&s.after);
    return e;
}

static struct err *systemd_stop(struct node *n, const struct strs *units)
{
    (void)n;
    static const char *const forget[] = {"systemctl", "reset-failed", "--"};
    static const char *const head[] = {"systemctl", "stop", "--"};
    OWN_STRS struct strs sorted = {0};
    if (!units->n)
        return NULL;
    TRY(stop_order(&sorted, units));
    struct err *e = systemctl(head, 3, &sorted, &(struct child_opts){.timeout_ms = STOP_TIMEOUT_MS});
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
