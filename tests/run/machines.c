#include "run/machines.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

char *machines_path(const struct machines *m, size_t i, const char *name)
{
    char *path = str_fmt("%s/%s/%s", m->sshd.dir, m->addresses[i], name);
    assert_non_null(path);
    return path;
}

void machines_set(const struct machines *m, size_t i, const char *mode)
{
    OWN_FREE char *path = machines_path(m, i, "mode");
    OK(file_replace(AT_FDCWD, path, mode, strlen(mode), 0600));
}

void machines_kill(const struct machines *m, size_t i)
{
    OWN_FREE char *path = machines_path(m, i, "pid");
    OWN_BUF struct buf text = {0};
    OK(file_read(&text, AT_FDCWD, path));
    pid_t pid = (pid_t)strtol(buf_text(&text), NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

/* Every login with the user's key runs machine.sh, whatever it asks for. */
static void force_script(const struct machines *m)
{
    OWN_BUF struct buf script = {0}, allowed = {0}, pub = {0};
    OWN_FREE char *path = check_path(m->sshd.dir, "machine.sh"), *key = check_path(m->sshd.dir, "user_ed25519.pub"),
                  *keys = check_path(m->sshd.dir, "authorized_keys");
    OK(file_read(&script, AT_FDCWD, SOURCE_DIR "/tests/run/machine.sh"));
    OK(file_replace(AT_FDCWD, path, script.at, script.len, 0700));
    OK(file_read(&pub, AT_FDCWD, key));
    OK(buf_fmt(&allowed, "command=\"%s\" %s", path, buf_text(&pub)));
    OK(file_replace(AT_FDCWD, keys, allowed.at, allowed.len, 0600));
}

static void furnish(struct machines *m, size_t n)
{
    force_script(m);
    rig_fingerprint(&m->sshd, "ed25519", m->fingerprint);
    for (size_t i = 0; i < n; i++) {
        OWN_FREE char *root = check_path(m->sshd.dir, m->addresses[i]);
        assert_int_equal(mkdir(root, 0755), 0);
        m->at[i] = (struct host){.name = m->names[i],
                                 .address = m->addresses[i],
                                 .user = m->sshd.user,
                                 .port = m->sshd.port,
                                 .key = m->sshd.key,
                                 .host_key = m->fingerprint,
                                 .control_plane = true};
        machines_set(m, i, "");
    }
    m->n = n;
}

const char *machines_start(struct machines *ret, size_t n)
{
    OWN_BUF struct buf config = {0};
    *ret = (struct machines){0};
    if (getuid() != 0)
        return "not root, which the helper must be";
    assert_true(n <= MACHINES_MAX);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(ret->names[i], sizeof ret->names[i], "m%zu", i + 2);
        (void)snprintf(ret->addresses[i], sizeof ret->addresses[i], "127.0.0.%zu", i + 2);
        OK(buf_fmt(&config, "ListenAddress %s\n", ret->addresses[i]));
    }
    const char *why = rig_start(&ret->sshd, buf_text(&config));
    if (!why)
        furnish(ret, n);
    return why;
}

void machines_stop(struct machines *m)
{
    rig_stop(&m->sshd);
}
