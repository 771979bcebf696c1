/* Host keys: known_hosts (OpenSSH's format) or a pinned fingerprint; nothing is ever accepted on first sight. */
#include "base/file.h"
#include "base/str.h"
#include "ssh/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* In order of preference. A row is also the unit that is left out when a pin did not match that key. */
static const struct algorithm {
    const char *methods; /* for the handshake */
    const char *type;    /* in known_hosts */
    int known_bit;       /* LIBSSH2_KNOWNHOST_KEY_... */
    int shown;           /* LIBSSH2_HOSTKEY_TYPE_... */
} algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519, LIBSSH2_HOSTKEY_TYPE_ED25519},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256, LIBSSH2_HOSTKEY_TYPE_ECDSA_256},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384, LIBSSH2_HOSTKEY_TYPE_ECDSA_384},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521, LIBSSH2_HOSTKEY_TYPE_ECDSA_521},
    {"rsa-sha2-512,rsa-sha2-256", "ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA, LIBSSH2_HOSTKEY_TYPE_RSA},
};

#define N_ALGORITHMS ARRAY_LEN(algorithms)
#define ALL_ALGORITHMS ((1u << N_ALGORITHMS) - 1)

/* The key a session was shown. */
struct shown {
    const char *blob; /* belongs to libssh2 */
    size_t len;
    size_t row; /* of algorithms */
    char fingerprint[64];
};

static struct err *shown_get(struct shown *ret, struct ssh *s)
{
    int type = LIBSSH2_HOSTKEY_TYPE_UNKNOWN;
    ret->blob = libssh2_session_hostkey(s->session, &ret->len, &type);
    const char *hash = libssh2_hostkey_hash(s->session, LIBSSH2_HOSTKEY_HASH_SHA256);
    for (ret->row = 0; ret->row < N_ALGORITHMS && algorithms[ret->row].shown != type; ret->row++)
        ;
    if (!ret->blob || !hash || ret->row == N_ALGORITHMS)
        return err_new(ERR_UNTRUSTED, "%s: shows a host key of an unknown kind", s->where);
    OWN_BUF struct buf text = {0};
    TRY(buf_base64(&text, hash, 32));
    (void)snprintf(ret->fingerprint, sizeof ret->fingerprint, "SHA256:%.43s", buf_text(&text)); /* without padding */
    return NULL;
}

/* The name under which known_hosts lists a target; new memory. */
static char *known_name(const struct ssh_target *t)
{
    if (target_port(t) == 22)
        return strdup(t->address);
    return str_fmt("[%s]:%d", t->address, target_port(t));
}

/* ---- known_hosts ---- */

struct known {
    LIBSSH2_SESSION *session; /* libssh2 keeps lists only below a session */
    LIBSSH2_KNOWNHOSTS *hosts;
    struct buf text; /* the file, NULs in place of line ends */
    char *name;
};

static void known_done(struct known *k)
{
    if (k->hosts)
        libssh2_knownhost_free(k->hosts);
    if (k->session)
        (void)libssh2_session_free(k->session);
    buf_done(&k->text);
    free(k->name);
}

static struct err *known_file(struct buf *text, const char *file)
{
    OWN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0)
        return err_os(errno, "%s", file);
    return err_wrap(fd_read_all(fd, text), "%s", file);
}

/* Lines that libssh2 cannot read (markers, damaged ones) are passed over: what is not understood trusts nobody. */
static void known_lines(struct known *k)
{
    char *line = k->text.at, *end = NULL;
    for (; line && line < k->text.at + k->text.len; line = end + 1) {
        end = strchrnul(line, '\n');
        *end = '\0';
        if (*line != '@' && *line != '#')
            (void)libssh2_knownhost_readline(k->hosts, line, strlen(line), LIBSSH2_KNOWNHOST_FILE_OPENSSH);
    }
}

static struct err *known_read(struct known *k, const struct ssh_target *t)
{
    k->name = known_name(t);
    k->session = libssh2_session_init_ex(NULL, NULL, NULL, NULL);
    k->hosts = k->session ? libssh2_knownhost_init(k->session) : NULL;
    if (!k->hosts || !k->name)
        return err_os(ENOMEM, "known hosts");
    if (t->known_hosts)
        TRY(known_file(&k->text, t->known_hosts));
    known_lines(k);
    return NULL;
}

static int known_check(struct known *k, const char *blob, size_t len, int key_bit)
{
    struct libssh2_knownhost *entry = NULL;
    return libssh2_knownhost_checkp(k->hosts, k->name, -1, blob, len,
                                    LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | key_bit, &entry);
}

/* A bit for each algorithm of which known_hosts has a key for this host: a made-up key can only be a mismatch there. */
static unsigned known_rows(struct known *k)
{
    unsigned rows = 0;
    for (size_t i = 0; i < N_ALGORITHMS; i++)
        if (known_check(k, "none", 4, algorithms[i].known_bit) == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
            rows |= 1u << i;
    return rows;
}

/* True when a "@revoked" line holds this key, whatever host it names. */
static bool known_revoked(const struct known *k, const char *key_text)
{
    for (const char *line = k->text.at; line && line < k->text.at + k->text.len; line += strlen(line) + 1)
        if (str_starts(line, "@revoked") && strstr(line, key_text))
            return true;
    return false;
}

/* ---- decisions ---- */

static void prefer(char *ret, size_t size, unsigned first, unsigned rows)
{
    *ret = '\0';
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < N_ALGORITHMS; i++) {
            bool is_first = first >> i & 1;
            if (!(rows >> i & 1) || is_first == (pass == 1))
                continue;
            size_t at = strlen(ret);
            (void)snprintf(ret + at, size - at, "%s%s", at ? "," : "", algorithms[i].methods);
        }
}

static struct err *changed(const struct ssh *s, const struct ssh_target *t, const char *seen, const char *known)
{
    struct err *e =
        err_new(ERR_UNTRUSTED, "%s: the host key is %s, which is not the one %s", s ? s->where : t->name, seen, known);
    return err_hint(e,
                    "somebody may be in between; if the machine was reinstalled, remove the old key, then run "
                    "`caisson trust host %s` and compare",
                    t->name ? t->name : t->address);
}

static struct err *check_known(struct ssh *s, const struct ssh_target *t, struct known *k)
{
    struct shown key = {0};
    char in_file[300], text[64 + 48];
    TRY(shown_get(&key, s));
    OWN_BUF struct buf blob = {0};
    TRY(buf_base64(&blob, key.blob, key.len));
    (void)snprintf(text, sizeof text, "%s (%s)", key.fingerprint, algorithms[key.row].type);
    (void)snprintf(in_file, sizeof in_file, "in %s", t->known_hosts ? t->known_hosts : "known_hosts");
    if (known_revoked(k, buf_text(&blob)))
        return err_new(ERR_UNTRUSTED, "%s: the host key %s is revoked %s", s->where, text, in_file);
    int rc = known_check(k, key.blob, key.len, 0);
    if (rc == LIBSSH2_KNOWNHOST_CHECK_MATCH)
        return NULL;
    if (rc == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
        return changed(s, t, text, in_file);
    struct err *e = err_new(ERR_UNTRUSTED, "%s: its host key %s is not known yet", s->where, text);
    return err_hint(e, "run `caisson trust host %s` and compare the fingerprint", t->name ? t->name : t->address);
}

static struct err *open_known(struct ssh **ret, const struct ssh_target *t, const struct cancel *c)
{
    OWN(known_done) struct known k = {0};
    OWN(ssh_freep) struct ssh *s = NULL;
    char pref[256];
    TRY(known_read(&k, t));
    prefer(pref, sizeof pref, known_rows(&k), ALL_ALGORITHMS);
    TRY(session_open(&s, t, pref, c));
    TRY(check_known(s, t, &k));
    *ret = TAKE(s);
    return NULL;
}

/* The pinned text without "SHA256:" and padding. */
static bool same_fingerprint(const char *pin, const char *fingerprint)
{
    size_t n = strlen(fingerprint);
    return strncmp(pin, fingerprint, n) == 0 && strspn(pin + n, "=") == strlen(pin + n);
}

/* A fingerprint does not say of which algorithm it is, so each key the machine has is looked at before giving up. */
static struct err *open_pinned(struct ssh **ret, const struct ssh_target *t, const struct cancel *c)
{
    OWN_BUF struct buf seen = {0};
    for (unsigned rows = ALL_ALGORITHMS; rows;) {
        OWN(ssh_freep) struct ssh *s = NULL;
        struct shown key = {0};
        char pref[256];
        prefer(pref, sizeof pref, rows, rows);
        struct err *e = session_open(&s, t, pref, c);
        if (e && (seen.len == 0 || err_kind(e) == ERR_CANCELLED))
            return e;
        if (e) { /* it has no further key */
            err_ignore(e);
            break;
        }
        TRY(shown_get(&key, s));
        if (same_fingerprint(t->host_key, key.fingerprint)) {
            *ret = TAKE(s);
            return NULL;
        }
        TRY(buf_fmt(&seen, "%s%s", seen.len ? " or " : "", key.fingerprint));
        rows &= ~(1u << key.row);
    }
    OWN_FREE char *pinned = str_fmt("pinned for it (%s)", t->host_key);
    return changed(NULL, t, buf_text(&seen), pinned ? pinned : "pinned for it");
}

struct err *hostkey_open(struct ssh **ret, const struct ssh_target *t, const struct cancel *c)
{
    if (!t->host_key)
        return open_known(ret, t, c);
    if (!str_starts(t->host_key, "SHA256:"))
        return err_hint(err_new(ERR_USAGE, "%s: hostKey must begin with SHA256:", t->name ? t->name : t->address),
                        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the machine prints it");
    return open_pinned(ret, t, c);
}

struct err *ssh_host_key(struct ssh_host_key *ret, const struct ssh_target *t, const struct cancel *c)
{
    OWN(ssh_freep) struct ssh *s = NULL;
    struct shown key = {0};
    char pref[256];
    *ret = (struct ssh_host_key){0};
    prefer(pref, sizeof pref, ALL_ALGORITHMS, ALL_ALGORITHMS);
    TRY(session_open(&s, t, pref, c));
    TRY(shown_get(&key, s));
    OWN_BUF struct buf blob = {0};
    OWN_FREE char *name = known_name(t);
    if (!name)
        return err_os(ENOMEM, "host key");
    TRY(buf_base64(&blob, key.blob, key.len));
    (void)snprintf(ret->type, sizeof ret->type, "%s", algorithms[key.row].type);
    (void)snprintf(ret->fingerprint, sizeof ret->fingerprint, "%s", key.fingerprint);
    ret->line = str_fmt("%s %s %s", name, ret->type, buf_text(&blob));
    return ret->line ? NULL : err_os(ENOMEM, "host key");
}

void ssh_host_key_done(struct ssh_host_key *k)
{
    free(k->line);
    k->line = NULL;
}
