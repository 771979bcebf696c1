#include "http/serve.h"

#include "base/child.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ran(const char *const argv[])
{
    struct err *e = child_run(argv, &(struct child_opts){.timeout_ms = 30000}, NULL);
    bool ok = !e;
    err_free(e);
    return ok;
}

static bool make_cert(const char *dir, const char *name, const char *subject, const char *extension)
{
    OWN_FREE char *key = str_fmt("%s/%s.key", dir, name), *pem = str_fmt("%s/%s.pem", dir, name);
    OWN_FREE char *ca = str_fmt("%s/ca.pem", dir), *ca_key = str_fmt("%s/ca.key", dir);
    const char *const argv[] = {
        "openssl", "req",   "-x509",   "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-days", "2",       "-subj",   subject, "-keyout",  key,
        "-out",    pem,     "-addext", extension, "-CA",   ca,         "-CAkey",
        ca_key,    NULL};
    const char *const self[] = {"openssl", "req",   "-x509", "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:P-256",
                                "-nodes",  "-days", "2",     "-subj",   subject, "-keyout",  key,
                                "-out",    pem,     NULL};
    return ran(str_eq(name, "ca") || str_eq(name, "other") ? self : argv);
}

bool serve_certs(const char *dir)
{
    return make_cert(dir, "ca", "/CN=test ca", "") && make_cert(dir, "other", "/CN=other ca", "") &&
           make_cert(dir, "server", "/CN=server", "subjectAltName=IP:127.0.0.1,DNS:localhost") &&
           make_cert(dir, "client", "/O=system:masters/CN=client", "extendedKeyUsage=clientAuth");
}

static const char *read_line(struct serve *s)
{
    size_t n = 0;
    while (n + 1 < sizeof s->line) {
        ssize_t got = read(s->out, s->line + n, 1);
        if (got <= 0 || s->line[n] == '\n')
            break;
        n++;
    }
    s->line[n] = '\0';
    return n ? NULL : "the server does not start (python3 missing?)";
}

/* Ends with its parent, however that ends: a server that lived on would hold the pipe of who waits for the test. */
static void run_server(pid_t parent, int out, const char *const argv[])
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(out, STDOUT_FILENO) >= 0)
        (void)execvp(argv[0], (char *const *)argv);
    _exit(127);
}

const char *serve_start(struct serve *s, const char *script)
{
    int out[2];
    *s = (struct serve){.pid = -1, .out = -1};
    (void)snprintf(s->dir, sizeof s->dir, "%s/serve.XXXXXX", BUILD_DIR);
    if (!mkdtemp(s->dir))
        return "no folder for the server";
    if (!serve_certs(s->dir) || pipe2(out, O_CLOEXEC) < 0) {
        serve_stop(s);
        return "no openssl on this machine";
    }
    const char *const argv[] = {"python3", script, s->dir, NULL};
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0)
        run_server(parent, out[1], argv);
    (void)close(out[1]);
    s->out = out[0];
    const char *why = read_line(s);
    if (why)
        serve_stop(s);
    return why;
}

void serve_stop(struct serve *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    own_close(&s->out);
    err_free(file_remove_tree(AT_FDCWD, s->dir));
    *s = (struct serve){.pid = -1, .out = -1};
}
