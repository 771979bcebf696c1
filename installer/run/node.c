#include "run/node.h"

#include "base/clock.h"
#include "base/file.h"
#include "run/forward.h"
#include "run/helper_file.h"
#include "ssh/ssh.h"
#include "ssh/sshconf.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

/*
 * The only remote command. Constant for a build: no value of the inventory is in it. It says "caisson need"
 * when the installed helper is another one, reads the length and the bytes, and then becomes the helper after
 * "caisson ready". The digest is looked at again after writing, so that a short or changed transfer never
 * runs.
 */
static const char script[] =
    "S='P=/var/lib/caisson/bin/caisson-node; W=$1; umask 077; "
    "D() { sha256sum \"$P$1\" 2>/dev/null | cut -c1-64; }; "
    "if [ \"$(D)\" != \"$W\" ]; then mkdir -p /var/lib/caisson/bin && chmod 711 /var/lib/caisson && chmod "
    "755 /var/lib/caisson/bin || exit 91; "
    "echo \"caisson need\"; read -r N; head -c \"$N\" >\"$P.new\" && chmod 755 \"$P.new\" && sync \"$P.new\" "
    "|| exit 92; "
    "[ \"$(D .new)\" = \"$W\" ] || exit 93; mv -f \"$P.new\" \"$P\" && sync /var/lib/caisson/bin || exit 92; "
    "fi; "
    "umask 022; echo \"caisson ready\"; exec \"$P\" serve'; "
    "if [ \"$(id -u)\" = 0 ]; then exec sh -c \"$S\" sh %s; else exec sudo -n sh -c \"$S\" sh %s; fi";

enum { PATIENCE_MS = 60000 }; /* with a machine that says or takes nothing while its helper starts */

struct node {
    const struct host *host;
    struct ssh *ssh;
    int fd;
    struct wire_client *wire;
    struct forward *forwards;
};

/* One line of at most 200 bytes from the start of the conversation. */
static struct err *read_line(char ret[201], int fd, int64_t deadline, const struct cancel *c)
{
    size_t n = 0;
    while (n < 200) {
        TRY(wait_fd(fd, POLLIN, deadline, c));
        ssize_t r = read(fd, ret + n, 1);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return err_new(ERR_UNREACHABLE, "the connection ended");
        if (ret[n] == '\n')
            break;
        n++;
    }
    ret[n] = '\0';
    return NULL;
}

/* What the remote end said when it gave up. */
static struct err *explain(struct node *n, struct err *e)
{
    char said[SSH_STDERR_MAX + 1];
    int status = 0;
    if (err_kind(e) == ERR_CANCELLED)
        return e;
    struct err *gone = ssh_wait(n->ssh, &status, clock_ms() + 3000, NULL);
    ssh_stderr(n->ssh, said);
    for (char *at = said; *at; at++)
        if (isspace((unsigned char)*at))
            *at = ' ';
    if (gone) {
        err_free(gone);
        return err_wrap(e, "start the helper");
    }
    err_free(e);
    if (strstr(said, "sudo"))
        return err_hint(err_new(ERR_REFUSED, "no root rights for user %s: %s", n->host->user, said),
                        "allow `sudo -n` for this user, or log in as root");
    if (status == 93)
        return err_new(ERR_UNTRUSTED, "the helper arrived with another digest than it was sent with");
    return err_new(ERR_FAILED, "start the helper: exit %d: %s", status, said);
}

static struct err *send_file(int to, int from, uint64_t size, const struct cancel *c)
{
    char chunk[16384];
    while (size) {
        size_t n = size < sizeof chunk ? (size_t)size : sizeof chunk;
        TRY(fd_read_exact(from, chunk, n, NULL));
        TRY(socket_write_all(to, chunk, n, PATIENCE_MS, c));
        size -= n;
    }
    return NULL;
}

static struct err *send_helper(int fd, const struct cancel *c, uint64_t *ret_sent)
{
    OWN_FD int helper = -1;
    uint64_t size = 0;
    TRY(helper_file_open(&helper, &size));
    OWN_FREE char *length = str_fmt("%llu\n", (unsigned long long)size);
    if (!length)
        return err_os(ENOMEM, "send the helper");
    TRY(socket_write_all(fd, length, strlen(length), PATIENCE_MS, c));
    TRY(send_file(fd, helper, size, c));
    if (ret_sent)
        *ret_sent = size;
    return NULL;
}

/* Lines before ours are what a login script printed; a few are tolerated. */
static struct err *converse(struct node *n, const struct cancel *c, uint64_t *ret_sent)
{
    char line[201];
    for (int i = 0; i < 50; i++) {
        TRY(read_line(line, n->fd, clock_ms() + PATIENCE_MS, c));
        if (str_eq(line, "caisson ready"))
            return NULL;
        if (str_eq(line, "caisson need"))
            TRY(send_helper(n->fd, c, ret_sent));
    }
    return err_hint(err_new(ERR_FAILED, "the login shell prints too much before the helper starts"),
                    "make the login scripts of user %s quiet for commands", n->host->user);
}

static struct err *start_helper(struct node *n, const struct cancel *c, uint64_t *ret_sent)
{
    OWN_FREE char *command = str_fmt(script, helper_file_digest(), helper_file_digest());
    if (!command)
        return err_os(ENOMEM, "start the helper");
    TRY(ssh_exec(n->ssh, command, &n->fd));
    struct err *e = converse(n, c, ret_sent);
    if (e)
        return explain(n, e);
    return wire_client_new(&n->wire, n->fd, n->fd);
}

static struct err *connect_ssh(struct node *n, const char *known_hosts, const struct cancel *c)
{
    const struct host *h = n->host;
    OWN_SSH_CONF struct ssh_conf conf = {0};
    const char *one[1] = {h->key};
    if (!h->key)
        TRY(ssh_conf_read(&conf, h->address));
    struct ssh_target t = {.name = h->name,
                           .address = h->address,
                           .port = h->port,
                           .user = h->user,
                           .key_files = h->key ? one : (const char *const *)conf.key_files.at,
                           .n_key_files = h->key ? 1 : conf.key_files.n,
                           .host_key = h->host_key,
                           .known_hosts = known_hosts};
    return ssh_open(&n->ssh, &t, c);
}

struct err *node_open(struct node **ret, const struct host *h, const char *known_hosts, const struct cancel *c,
                      uint64_t *ret_sent)
{
    OWN(node_freep) struct node *n = calloc(1, sizeof *n);
    if (!n)
        return err_os(ENOMEM, "connect");
    *n = (struct node){.host = h, .fd = -1};
    TRY(connect_ssh(n, known_hosts, c));
    TRY(start_helper(n, c, ret_sent));
    *ret = TAKE(n);
    return NULL;
}

const struct host *node_host(const struct node *n)
{
    return n->host;
}

struct wire_client *node_wire(const struct node *n)
{
    return n->wire;
}

static struct doc *request(const char *op, struct doc *args)
{
    struct doc *r = args ? args : doc_new_map();
    doc_set_text(r, "op", op);
    return r;
}

static struct err *call(struct doc **ret, struct node *n, const char *op, struct doc *args,
                        const struct wire_body *body, const struct wire_events *events, const struct cancel *c)
{
    OWN_DOC struct doc *r = request(op, args);
    OWN_DOC struct doc *reply = NULL;
    struct err *e = wire_call_data(&reply, n->wire, r, body, events, c);
    if (ret)
        *ret = TAKE(reply);
    return e;
}

struct err *node_call(struct doc **ret, struct node *n, const char *op, struct doc *args, const struct cancel *c)
{
    return call(ret, n, op, args, NULL, NULL, c);
}

struct err *node_watch(struct doc **ret, struct node *n, const char *op, struct doc *args,
                       const struct wire_events *events, const struct cancel *c)
{
    return call(ret, n, op, args, NULL, events, c);
}

struct err *node_send(struct doc **ret, struct node *n, const char *op, struct doc *args, const struct wire_body *body,
                      const struct cancel *c)
{
    return call(ret, n, op, args, body, NULL, c);
}

struct err *node_forward(const char **ret_path, struct node *n, int port)
{
    for (struct forward *f = n->forwards; f; f = forward_next(f))
        if (forward_port(f) == port) {
            *ret_path = forward_path(f);
            return NULL;
        }
    TRY(forward_new(&n->forwards, n->wire, port));
    *ret_path = forward_path(n->forwards);
    return NULL;
}

void node_free(struct node *n)
{
    if (!n)
        return;
    forward_free_all(n->forwards);
    wire_client_free(n->wire);
    own_close(&n->fd);
    ssh_free(n->ssh);
    free(n);
}
