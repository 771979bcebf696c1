#include "crypt/tls.h"

#include "base/clock.h"
#include "check.h"
#include "crypt/x509.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { DAY = 86400, WAIT_MS = 20000 };

extern char **environ;

/* Two authorities; certificates of the first for a server and a client, of the second for another client. */
static char *folder;

static void write_key(const char *name, const struct key *k)
{
    OWN_SECRET_BUF struct buf pem = {0};
    OK(key_private_pem(&pem, k));
    check_write(folder, name, pem.at, pem.len);
}

static void issue(const char *name, const char *ca_pem, const struct key *ca_key)
{
    static const char *const dns[] = {"node.test"}, *const ips[] = {"127.0.0.1"};
    int64_t now = clock_wall_s();
    struct cert_spec spec = {.cn = name,
                             .dns = dns,
                             .n_dns = 1,
                             .ips = ips,
                             .n_ips = 1,
                             .server = true,
                             .client = true,
                             .not_before = now - 300,
                             .not_after = now + DAY};
    OWN_KEY struct key *k = NULL;
    OWN_BUF struct buf pem = {0};
    OWN_FREE char *crt = str_fmt("%s.crt", name), *key = str_fmt("%s.key", name);
    OK(key_new_ec(&k));
    OK(cert_issue_for_key(&pem, &spec, k, ca_pem, ca_key));
    check_write(folder, crt, pem.at, pem.len);
    write_key(key, k);
}

static void authority(const char *name, const char *const leafs[])
{
    OWN_KEY struct key *k = NULL;
    OWN_BUF struct buf pem = {0};
    OWN_FREE char *crt = str_fmt("%s.crt", name);
    OK(key_new_ec(&k));
    OK(ca_create(&pem, k, name, clock_wall_s() - DAY, clock_wall_s() + 10 * DAY));
    check_write(folder, crt, pem.at, pem.len);
    for (size_t i = 0; leafs[i]; i++)
        issue(leafs[i], pem.at, k);
}

/* Whole answers: the server sends a file as it is. */
static const struct {
    const char *name, *text;
} pages[] = {
    {"page", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nall is well"},
    {"open-end", "HTTP/1.1 200 OK\r\n\r\nall is well"},
    {"sick", "HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"},
    {"cut", "HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\nall is well"},
    {"no-length", "HTTP/1.0 200 OK\r\nContent-Length: 11x\r\n\r\nall is well"},
    {"no-status", "HTTP/1.0 2x0 OK\r\n\r\n"},
    {"no-end", "HTTP/1.0 200 OK\r\n"},
    {"no-http", "220 mail.test ESMTP\r\n\r\n"},
};

static int files_make(void **state)
{
    (void)state;
    folder = check_folder();
    authority("ca", (const char *const[]){"server", "client", NULL});
    authority("other-ca", (const char *const[]){"stranger", NULL});
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        check_write(folder, pages[i].name, pages[i].text, strlen(pages[i].text));
    return 0;
}

static int files_done(void **state)
{
    (void)state;
    check_folder_done(&folder);
    return 0;
}

/* ---- a real server ---- */

struct server {
    pid_t pid;
    uint16_t port;
};

/* A bound socket on 127.0.0.1; its port. */
static int listen_any(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static bool accepts(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    OWN_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
}

/* openssl s_server that answers GETs with files of the folder and wants a client certificate of "ca". */
static struct server server_start(const char *version)
{
    struct server s = {0};
    own_close(&(int){listen_any(&s.port)}); /* free again: s_server opens it itself */
    OWN_FREE char *accept = str_fmt("127.0.0.1:%u", s.port);
    const char *argv[] = {"openssl", "s_server", "-quiet",     "-HTTP", "-accept",
                          accept,    "-cert",    "server.crt", "-key",  "server.key",
                          "-CAfile", "ca.crt",   "-Verify",    "1",     "-verify_return_error",
                          version,   NULL};
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addchdir_np(&fa, folder);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&s.pid, argv[0], &fa, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&fa);
    for (int i = 0; i < 200 && !accepts(s.port); i++)
        clock_sleep_ms(50);
    return s;
}

static void server_stop(const struct server *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
}

/* One call with the names of files in the folder. */
struct attempt {
    uint16_t port;
    const char *name, *path, *ca, *client;
    int64_t wait_ms;
    const struct cancel *cancel;
};

static struct err *attempt(struct buf *body, int *status, const struct attempt *a)
{
    OWN_FREE char *ca = str_fmt("%s/%s.crt", folder, a->ca);
    OWN_FREE char *crt = a->client ? str_fmt("%s/%s.crt", folder, a->client) : NULL;
    OWN_FREE char *key = a->client ? str_fmt("%s/%s.key", folder, a->client) : NULL;
    return tls_get(body, status,
                   &(struct tls_call){.address = "127.0.0.1",
                                      .port = a->port,
                                      .name = a->name,
                                      .path = a->path,
                                      .ca_file = ca,
                                      .cert_file = crt,
                                      .key_file = key,
                                      .deadline_ms = clock_ms() + (a->wait_ms ? a->wait_ms : WAIT_MS),
                                      .cancel = a->cancel});
}

static void against_server(const char *version)
{
    OWN(server_stop) struct server s = server_start(version);
    int status = 0;
    OWN_BUF struct buf body = {0};
    const struct attempt good = {.port = s.port, .name = "node.test", .path = "/page", .ca = "ca", .client = "client"};
    struct attempt a = good;
    OK(attempt(&body, &status, &a));
    assert_int_equal(status, 200);
    assert_string_equal(body.at, "all is well");
    a.name = "127.0.0.1"; /* in the certificate as an address */
    OK(attempt(&body, &status, &a));

    a = good;
    a.ca = "other-ca";
    FAILS(ERR_UNTRUSTED, "server certificate", attempt(&body, &status, &a));
    a = good;
    a.name = "other.test";
    FAILS(ERR_UNTRUSTED, "hostname mismatch", attempt(&body, &status, &a));
    a.name = "127.0.0.2";
    FAILS(ERR_UNTRUSTED, "IP address mismatch", attempt(&body, &status, &a));
    a = good;
    a.client = NULL;
    FAILS(ERR_UNTRUSTED, "refuses this client", attempt(&body, &status, &a));
    a.client = "stranger";
    FAILS(ERR_UNTRUSTED, "refuses this client", attempt(&body, &status, &a));
    a = good;
    OK(attempt(&body, &status, &a)); /* and the server is still there */
}

static void tls_1_3(void **state)
{
    (void)state;
    against_server("-tls1_3");
}

static void tls_1_2(void **state)
{
    (void)state;
    against_server("-tls1_2");
}

static void answers(void **state)
{
    (void)state;
    OWN(server_stop) struct server s = server_start("-tls1_3");
    struct attempt a = {.port = s.port, .name = "node.test", .ca = "ca", .client = "client"};
    OWN_BUF struct buf body = {0};
    int status = 0;
    a.path = "/open-end";
    OK(attempt(&body, &status, &a));
    assert_string_equal(body.at, "all is well");
    buf_done(&body);
    a.path = "/sick";
    OK(attempt(&body, &status, &a));
    assert_int_equal(status, 503);
    assert_int_equal(body.len, 0);
    static const char *const wrong[][2] = {{"/cut", "as long as announced"},
                                           {"/no-status", "no status"},
                                           {"/no-end", "no header"},
                                           {"/no-http", "no header"},
                                           {"/no-length", "no length"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        a.path = wrong[i][0];
        FAILS(ERR_UNREACHABLE, wrong[i][1], attempt(&body, &status, &a));
        assert_int_equal(body.len, 0);
    }
}

/* ---- no server, a silent one, one that stops ---- */

static void deadline_holds(void **state)
{
    (void)state;
    uint16_t port = 0;
    OWN_FD int fd = listen_any(&port);
    assert_int_equal(listen(fd, 8), 0); /* connects, and never says a word */
    OWN_BUF struct buf body = {0};
    int status = 0;
    int64_t from = clock_ms();
    FAILS(ERR_UNREACHABLE, "timed out",
          attempt(&body, &status,
                  &(struct attempt){.port = port, .name = "node.test", .path = "/", .ca = "ca", .wait_ms = 300}));
    int64_t took = clock_ms() - from;
    assert_true(took >= 300 && took < 5000);
}

static void cancel_holds(void **state)
{
    (void)state;
    uint16_t port = 0;
    OWN_FD int fd = listen_any(&port);
    assert_int_equal(listen(fd, 8), 0);
    OWN(cancel_done) struct cancel c = {.fd = -1};
    OK(cancel_init(&c));
    cancel_set(&c);
    OWN_BUF struct buf body = {0};
    int status = 0;
    FAILS(ERR_CANCELLED, "cancelled",
          attempt(&body, &status,
                  &(struct attempt){.port = port, .name = "node.test", .path = "/", .ca = "ca", .cancel = &c}));
}

static void nobody_there(void **state)
{
    (void)state;
    uint16_t port = 0;
    OWN_FD int fd = listen_any(&port); /* bound, not listening: refused */
    assert_true(fd >= 0);
    OWN_BUF struct buf body = {0};
    int status = 0;
    FAILS(ERR_UNREACHABLE, "refused",
          attempt(&body, &status, &(struct attempt){.port = port, .name = "node.test", .path = "/", .ca = "ca"}));
}

static void bad_arguments(void **state)
{
    (void)state;
    OWN_BUF struct buf body = {0};
    int status = 0;
    struct attempt a = {.port = 1, .name = "node.test", .path = "readyz", .ca = "ca"};
    FAILS(ERR_USAGE, "path", attempt(&body, &status, &a));
    a.path = "/a\r\nX: y";
    FAILS(ERR_USAGE, "path", attempt(&body, &status, &a));
    a.path = "/";
    a.name = "node.test\r\nX: y";
    FAILS(ERR_USAGE, "name", attempt(&body, &status, &a));
    a.name = "";
    FAILS(ERR_USAGE, "name", attempt(&body, &status, &a));
    a.name = "node.test";
    a.ca = "missing";
    FAILS(ERR_FAILED, "missing.crt", attempt(&body, &status, &a));
    OWN_FREE char *ca = check_path(folder, "ca.crt");
    const struct tls_call named = {.address = "localhost", .port = 1, .name = "x", .path = "/", .ca_file = ca};
    FAILS(ERR_USAGE, "numeric address", tls_get(&body, &status, &named));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_3),        cmocka_unit_test(tls_1_2),      cmocka_unit_test(answers),
        cmocka_unit_test(deadline_holds), cmocka_unit_test(cancel_holds), cmocka_unit_test(nobody_there),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, files_make, files_done);
}
