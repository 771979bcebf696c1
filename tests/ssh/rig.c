#include "ssh/rig.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* libssh2 1.11.1 forgets some 100 bytes with each key exchange of AES-GCM and with each renewed one of any cipher. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:kex_method_curve25519_key_exchange\n";
}

static const char *find_sshd(void)
{
    const char *const places[] = {"/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static void must(struct err *e)
{
    if (!e)
        return;
    (void)fprintf(stderr, "rig: %s\n", err_text(e));
    abort();
}

static void keygen(const char *type, const char *file)
{
    const char *const argv[] = {"ssh-keygen", "-q", "-t", type, "-N", "", "-C", "rig", "-f", file, NULL};
    must(child_run(argv, &(struct child_opts){.timeout_ms = 60000}, NULL));
}

static int free_port(void)
{
    OWN_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (bind(fd, (struct sockaddr *)&a, len) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return -1;
    return ntohs(a.sin_port);
}

static void path(char ret[300], const struct rig *r, const char *name)
{
    (void)snprintf(ret, 300, "%s/%s", r->dir, name);
}

static void write_text(const struct rig *r, const char *name, const char *text)
{
    char file[300];
    path(file, r, name);
    must(file_replace(AT_FDCWD, file, text, strlen(text), 0600));
}

static void write_config(const struct rig *r, const char *extra)
{
    OWN_BUF struct buf b = {0};
    must(buf_fmt(&b,
                 "Port %d\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nUseDNS no\n"
                 "AuthorizedKeysFile %s/authorized_keys\nMaxStartups 500\nPerSourceMaxStartups none\n"
                 "PasswordAuthentication no\nPermitRootLogin yes\nPrintMotd no\n%s",
                 r->port, r->dir, extra));
    const char *const types[] = {"ed25519", "ecdsa", "rsa"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        must(buf_fmt(&b, "HostKey %s/host_%s\n", r->dir, types[i]));
    write_text(r, "sshd_config", buf_text(&b));
}

static void write_keys(struct rig *r)
{
    const char *const types[] = {"ed25519", "ecdsa", "rsa"};
    char file[300];
    OWN_BUF struct buf allowed = {0};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        OWN_FREE char *name = str_fmt("%s/host_%s", r->dir, types[i]);
        keygen(types[i], name);
        OWN_FREE char *user = str_fmt("%s/user_%s", r->dir, types[i]);
        keygen(types[i], user);
        OWN_FREE char *pub = str_fmt("%s.pub", user);
        must(file_read(&allowed, AT_FDCWD, pub));
    }
    path(r->key, r, "user_ed25519");
    path(r->other_key, r, "stranger");
    path(r->known, r, "known_hosts");
    keygen("ed25519", r->other_key);
    path(file, r, "authorized_keys");
    must(file_replace(AT_FDCWD, file, allowed.at, allowed.len, 0600));
}

static bool answers(int port)
{
    OWN_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
}

static const char *run_sshd(struct rig *r, const char *sshd)
{
    char config[300], log[300];
    path(config, r, "sshd_config");
    path(log, r, "sshd.log");
    /* It ends with a test that crashes: ctest waits for everyone who holds its pipe. */
    const char *const argv[] = {"setpriv", "--pdeathsig", "TERM", sshd, "-D", "-f", config, "-E", log, NULL};
    if (posix_spawnp(&r->sshd, argv[0], NULL, NULL, (char *const *)argv, environ) != 0)
        return "sshd cannot be started";
    for (int i = 0; i < 200; i++) {
        if (answers(r->port))
            return NULL;
        clock_sleep_ms(20);
    }
    rig_stop(r);
    return "sshd does not answer";
}

const char *rig_start(struct rig *r, const char *extra)
{
    const char *sshd = find_sshd();
    struct passwd *me = getpwuid(getuid());
    *r = (struct rig){.sshd = -1};
    if (!sshd || !me)
        return "no sshd on this machine";
    if (getuid() == 0)
        must(file_mkdirs(AT_FDCWD, "/run/sshd", 0755)); /* where sshd wants its empty folder */
    (void)snprintf(r->user, sizeof r->user, "%s", me->pw_name);
    (void)snprintf(r->dir, sizeof r->dir, "%s/rig.XXXXXX", BUILD_DIR);
    if (!mkdtemp(r->dir))
        return "no folder for the rig";
    r->port = free_port();
    write_keys(r);
    write_config(r, extra);
    rig_know(r, "ed25519", false);
    return run_sshd(r, sshd);
}

void rig_stop(struct rig *r)
{
    if (r->sshd > 0) {
        (void)kill(r->sshd, SIGTERM);
        (void)waitpid(r->sshd, NULL, 0);
    }
    if (*r->dir)
        must(file_remove_tree(AT_FDCWD, r->dir));
    *r = (struct rig){.sshd = -1};
}

struct ssh_target rig_target(const struct rig *r, const char *keys[1])
{
    keys[0] = r->key;
    return (struct ssh_target){.name = "cp-1",
                               .address = "127.0.0.1",
                               .port = r->port,
                               .user = r->user,
                               .key_files = keys,
                               .n_key_files = 1,
                               .no_agent = true,
                               .known_hosts = r->known,
                               .timeout_ms = 20000};
}

void rig_fingerprint(const struct rig *r, const char *type, char ret[80])
{
    OWN_FREE char *file = str_fmt("%s/host_%s.pub", r->dir, type);
    OWN_BUF struct buf out = {0};
    const char *const argv[] = {"ssh-keygen", "-l", "-f", file, NULL};
    must(child_run(argv, &(struct child_opts){.output = &out, .timeout_ms = 10000}, NULL));
    if (sscanf(buf_text(&out), "%*d %79s", ret) != 1)
        abort();
}

void rig_know(const struct rig *r, const char *type, bool hash)
{
    OWN_FREE char *file = str_fmt("%s/host_%s.pub", r->dir, type);
    OWN_BUF struct buf pub = {0}, line = {0};
    must(file_read(&pub, AT_FDCWD, file));
    must(buf_fmt(&line, "[127.0.0.1]:%d %s", r->port, buf_text(&pub)));
    write_text(r, "known_hosts", buf_text(&line));
    if (!hash)
        return;
    const char *const argv[] = {"ssh-keygen", "-H", "-f", r->known, NULL};
    must(child_run(argv, &(struct child_opts){.timeout_ms = 10000}, NULL));
}
