/*
 * machines: several machines on loopback: one real sshd at 127.0.0.2, 127.0.0.3, ..., behind each address the program's
 * real first command and a real helper with a root of its own (machine.sh). What a machine does wrong is set per
 * machine.
 */
#pragma once
#include "check.h"
#include "cluster/cluster.h"
#include "ssh/rig.h"

#define MACHINES_MAX 16

struct machines {
    struct rig sshd;
    struct host at[MACHINES_MAX]; /* as cluster.yaml would name them: m2, m3, ... */
    size_t n;
    char names[MACHINES_MAX][8], addresses[MACHINES_MAX][16], fingerprint[80];
};

/* Starts them. Returns why not, or NULL; then nothing needs machines_stop(). */
const char *machines_start(struct machines *ret, size_t n);
void machines_stop(struct machines *m);
/* How machine `i` takes logins from now on: "" well, "refuse" no root rights, "hang" never answers, "deaf" wants the
 * helper and reads nothing, "chatter" prints.
 */
void machines_set(const struct machines *m, size_t i, const char *mode);
/* SIGKILL to the helper that runs on machine `i`, as when its power is cut. */
void machines_kill(const struct machines *m, size_t i);
/* "root of machine i/name" in new memory. */
char *machines_path(const struct machines *m, size_t i, const char *name);
