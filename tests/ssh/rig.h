/* rig: a real sshd on 127.0.0.1 with keys of its own, in a folder below the build tree that goes away with it. */
#pragma once
#include "base/buf.h"
#include "ssh/ssh.h"

#include <sys/types.h>

struct rig {
    char dir[256];
    char key[300], other_key[300], known[300]; /* login key that is let in, one that is not, known_hosts */
    char user[64];
    int port;
    pid_t sshd;
};

/* Starts sshd with `extra` lines of configuration. Returns why not, or NULL; then nothing needs rig_stop(). */
const char *rig_start(struct rig *r, const char *extra);
void rig_stop(struct rig *r);
/* The target for a login that works; `keys` keeps its key list. */
struct ssh_target rig_target(const struct rig *r, const char *keys[1]);
/* "SHA256:..." of host key `type` (ed25519, ecdsa, rsa) as ssh-keygen computes it. */
void rig_fingerprint(const struct rig *r, const char *type, char ret[80]);
/* Writes known_hosts with the host's key of `type` under "[127.0.0.1]:port"; `hash` hides the name. */
void rig_know(const struct rig *r, const char *type, bool hash);
