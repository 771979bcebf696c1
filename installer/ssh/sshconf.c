#include "ssh/sshconf.h"

#include "base/buf.h"
#include "base/child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct err *copy(char **ret, const char *text)
{
    free(*ret);
    *ret = strdup(text);
    return *ret ? NULL : err_os(ENOMEM, "ssh settings");
}

static struct err *key_file_add(struct ssh_conf *c, const char *file)
{
    const char *home = getenv("HOME");
    OWN_FREE char *full = str_starts(file, "~/") ? str_fmt("%s%s", home ? home : "", file + 1) : strdup(file);
    if (!full)
        return err_os(ENOMEM, "ssh settings");
    return access(full, F_OK) == 0 ? strs_add(&c->key_files, full) : NULL;
}

static struct err *setting(struct ssh_conf *c, const char *key, const char *value)
{
    int64_t port = 0;
    if (str_eq(key, "hostname"))
        return copy(&c->address, value);
    if (str_eq(key, "user"))
        return copy(&c->user, value);
    if (str_eq(key, "port") && str_int(value, 1, 65535, &port))
        c->port = (int)port;
    if (str_eq(key, "identityfile"))
        return key_file_add(c, value);
    if (str_eq(key, "proxyjump") && !str_eq(value, "none"))
        return copy(&c->jump, value);
    if (str_eq(key, "identitiesonly"))
        c->identities_only = str_eq(value, "yes");
    return NULL;
}

static struct err *settings(struct ssh_conf *c, char *text)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        char *value = strchr(line, ' ');
        if (!value)
            continue;
        *value++ = '\0';
        TRY(setting(c, line, value));
    }
    return NULL;
}

struct err *ssh_conf_read(struct ssh_conf *ret, const char *host)
{
    *ret = (struct ssh_conf){0};
    if (!*host || *host == '-' || strpbrk(host, " \t\r\n"))
        return err_new(ERR_USAGE, "\"%s\" is not a host name", host);
    OWN_BUF struct buf out = {.max = (size_t)1 << 20};
    const char *const argv[] = {"ssh", "-G", "--", host, NULL};
    struct err *e = child_run(argv, &(struct child_opts){.output = &out, .timeout_ms = 10000}, NULL);
    if (e && err_errno(e) == ENOENT) { /* a host without an ssh client has no settings for it either */
        err_ignore(e);
        return NULL;
    }
    if (e)
        return err_wrap(err_as(e, ERR_USAGE), "ssh settings of %s", host);
    if (!out.len)
        return NULL;
    e = settings(ret, out.at);
    if (e)
        ssh_conf_done(ret);
    return e;
}

void ssh_conf_done(struct ssh_conf *c)
{
    free(c->address);
    free(c->user);
    free(c->jump);
    strs_done(&c->key_files);
    *c = (struct ssh_conf){0};
}

/* Takes ":port" off the end of `host`; "[v6]" loses its brackets. */
static bool split_port(char *host, int *ret_port)
{
    char *colon = strrchr(host, ':'), *bracket = strchr(host, ']');
    int64_t port = 0;
    bool plain_v6 = colon && !bracket && strchr(host, ':') != colon;
    if (colon && !plain_v6 && (!bracket || colon == bracket + 1)) {
        if (!str_int(colon + 1, 1, 65535, &port))
            return false;
        *ret_port = (int)port;
        *colon = '\0';
    }
    if (*host == '[') {
        if (!bracket || bracket[1])
            return false;
        *bracket = '\0';
        memmove(host, host + 1, strlen(host));
    }
    return *host && *host != '-';
}

struct err *ssh_conf_split(char **ret_user, char **ret_host, int *ret_port, const char *text)
{
    const char *rest = str_starts(text, "ssh://") ? text + 6 : text;
    const char *at = strrchr(rest, '@');
    OWN_FREE char *user = at ? strndup(rest, (size_t)(at - rest)) : NULL;
    OWN_FREE char *host = strdup(at ? at + 1 : rest);
    if ((at && !user) || !host)
        return err_os(ENOMEM, "ssh settings");
    *ret_port = 0;
    if ((user && !*user) || !split_port(host, ret_port))
        return err_new(ERR_USAGE, "\"%s\" is not user@host:port", text);
    *ret_user = TAKE(user);
    *ret_host = TAKE(host);
    return NULL;
}
