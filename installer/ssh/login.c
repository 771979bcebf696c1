/* Login by public key only: key files first, then the agent. */
#include "base/buf.h"
#include "base/str.h"
#include "ssh/session.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define AGENT_KEYS_MAX 5 /* sshd hangs up after six tries (MaxAuthTries) */

/* One attempt's outcome goes into `tried` for the error text; true ends the search. */
struct attempt {
    struct ssh *s;
    const char *user;
    struct buf tried;
};

static struct err *note(struct attempt *a, const char *what, const char *outcome)
{
    return buf_fmt(&a->tried, "%s%s (%s)", a->tried.len ? ", " : "", what, outcome);
}

/* A key that others can read is as good as lost; OpenSSH refuses it as well. */
static const char *key_file_fault(const char *file)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return errno == ENOENT ? "no such file" : "cannot be read";
    if (st.st_mode & 077)
        return "others may read it: chmod 600";
    return NULL;
}

static const char *outcome_of(int rc)
{
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
        return "refused by the machine";
    if (rc == LIBSSH2_ERROR_FILE || rc == LIBSSH2_ERROR_KEYFILE_AUTH_FAILED)
        return "not readable here, or it has a passphrase: add it to ssh-agent";
    return NULL;
}

static struct err *try_file(bool *ret_in, struct attempt *a, const char *file)
{
    const char *fault = key_file_fault(file);
    int rc = 0;
    if (fault)
        return note(a, file, fault);
    SESSION_STEP(
        a->s, rc,
        libssh2_userauth_publickey_fromfile_ex(a->s->session, a->user, (unsigned)strlen(a->user), NULL, file, ""));
    *ret_in = rc == 0;
    if (rc == 0)
        return NULL;
    fault = outcome_of(rc);
    return fault ? note(a, file, fault) : session_err(a->s, file);
}

static void agent_end(LIBSSH2_AGENT **agent)
{
    if (!*agent)
        return;
    (void)libssh2_agent_disconnect(*agent);
    libssh2_agent_free(*agent);
}

static struct err *try_agent(bool *ret_in, struct attempt *a)
{
    OWN(agent_end) LIBSSH2_AGENT *agent = libssh2_agent_init(a->s->session);
    struct libssh2_agent_publickey *key = NULL, *before = NULL;
    if (!agent)
        return err_os(ENOMEM, "ssh-agent");
    if (libssh2_agent_connect(agent) != 0 || libssh2_agent_list_identities(agent) != 0)
        return note(a, "agent", "does not answer");
    int refused = 0, rc = 0;
    for (; refused < AGENT_KEYS_MAX && libssh2_agent_get_identity(agent, &key, before) == 0; before = key) {
        SESSION_STEP(a->s, rc, libssh2_agent_userauth(agent, a->user, key));
        *ret_in = rc == 0;
        if (rc == 0)
            return NULL;
        if (!outcome_of(rc))
            return session_err(a->s, "ssh-agent");
        refused++;
    }
    char outcome[40];
    (void)snprintf(outcome, sizeof outcome, "%d refused", refused);
    return note(a, "agent", refused ? outcome : "holds no key");
}

/* `offered` comes from the machine: only letters, digits, '-' and ',' of it reach a terminal. */
static struct err *login_failed(const struct attempt *a, const struct ssh_target *t, const char *offered)
{
    char methods[128];
    (void)snprintf(methods, sizeof methods, "%s", offered && *offered ? offered : "nothing");
    for (char *p = methods; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-,", *p))
            *p = '?';
    struct err *e = err_new(ERR_UNREACHABLE, "%s: login as %s refused; tried %s; the machine offers %s", a->s->where,
                            t->user, a->tried.len ? buf_text(&a->tried) : "no key", methods);
    if (t->n_key_files == 0)
        return err_hint(e, "name a key for %s (ssh.key), or start ssh-agent and add one",
                        t->name ? t->name : t->address);
    return err_hint(e, "put the public key into ~%s/.ssh/authorized_keys: ssh-copy-id -i %s -p %d %s@%s", t->user,
                    t->key_files[0], target_port(t), t->user, t->address);
}

/* The methods the machine offers, "" when it lets everybody in. */
static struct err *methods_of(char **ret, struct ssh *s, const char *user)
{
    while (!(*ret = libssh2_userauth_list(s->session, user, (unsigned)strlen(user)))) {
        if (libssh2_userauth_authenticated(s->session))
            return NULL;
        if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
            return session_err(s, "login");
        TRY_CTX(session_wait(s), "%s: login", s->where);
    }
    return NULL;
}

static void attempt_done(struct attempt *a)
{
    buf_done(&a->tried);
}

struct err *login(struct ssh *s, const struct ssh_target *t)
{
    OWN(attempt_done) struct attempt a = {.s = s, .user = t->user};
    char *offered = NULL; /* libssh2's, until the session ends */
    bool in = false;
    TRY(methods_of(&offered, s, t->user));
    if (!offered)
        return NULL;
    OWN_FREE char *methods = strdup(offered);
    if (!methods)
        return err_os(ENOMEM, "login");
    bool by_key = strstr(methods, "publickey");
    for (size_t i = 0; by_key && !in && i < t->n_key_files; i++)
        TRY(try_file(&in, &a, t->key_files[i]));
    if (by_key && !in && !t->no_agent && getenv("SSH_AUTH_SOCK"))
        TRY(try_agent(&in, &a));
    return in ? NULL : login_failed(&a, t, methods);
}
