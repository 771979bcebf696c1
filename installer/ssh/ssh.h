/*
 * ssh: one SSH session to one machine, carrying one channel. The channel's bytes are a file descriptor, so callers
 * poll, read and write and never see libssh2. Host keys are strict (SEC-1): pinned or in known_hosts, else refused.
 */
#pragma once
#include "base/cancel.h"
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSH_TIMEOUT_MS 20000 /* connect, handshake and login together, when the target names none */
#define SSH_STDERR_MAX 4096  /* how much of the end of the remote standard error is kept */

/* Where and how to log in. All strings are borrowed for the time of the call. */
struct ssh_target {
    const char *name;    /* as people call the machine; used in texts and hints */
    const char *address; /* IPv4, IPv6 or a name */
    int port;            /* 0: 22 */
    const char *user;
    const char *const *key_files; /* private keys, tried in this order before the agent */
    size_t n_key_files;
    bool no_agent;                 /* do not ask SSH_AUTH_SOCK */
    const char *host_key;          /* "SHA256:..." pins the key; NULL: known_hosts decides */
    const char *known_hosts;       /* file in OpenSSH's format (plain or hashed names); a missing file knows no host */
    int timeout_ms;                /* 0: SSH_TIMEOUT_MS */
    const struct ssh_target *jump; /* go through this machine, or NULL */
};

struct ssh;

/*
 * Connects, checks the host key and logs in. ERR_UNREACHABLE when that fails (text: user, address, what was tried);
 * ERR_UNTRUSTED for an unknown, changed or revoked host key; ERR_CANCELLED. `c` may be NULL and must outlive *ret: it
 * ends ssh_open() and ssh_exec(), but not a running channel, which belongs to whoever reads and writes it.
 */
struct err *ssh_open(struct ssh **ret, const struct ssh_target *t, const struct cancel *c) ERR_MUST;

/*
 * Starts `command`, which must be a constant of the program (the remote login shell reads it), on the session's only
 * channel. *ret_fd (the caller's to close) is its standard input and output: shutdown(SHUT_WR) ends its input; end of
 * file means that it ended or that the session died, which ssh_wait() tells apart.
 */
struct err *ssh_exec(struct ssh *s, const char *command, int *ret_fd) ERR_MUST;

/*
 * Waits for the command's end until `deadline_ms` (clock_ms(); negative: none). *ret_status is its exit status, 128 + n
 * is not used: a signal gives 255. ERR_UNREACHABLE when the session died first.
 */
struct err *ssh_wait(struct ssh *s, int *ret_status, int64_t deadline_ms, const struct cancel *c) ERR_MUST;

/* Copies the last bytes of the command's standard error so far, as text. */
void ssh_stderr(struct ssh *s, char ret[SSH_STDERR_MAX + 1]);

/* "aes128-gcm@openssh.com" or whatever was agreed for the sent bytes; valid as long as `s`. */
const char *ssh_cipher(const struct ssh *s);

/* Ends the channel and the session, whatever they are doing. NULL is fine. */
void ssh_free(struct ssh *s);
OWN_DEFINE(ssh, ssh)

/* What a machine shows before anybody logs in. */
struct ssh_host_key {
    char type[32];        /* "ssh-ed25519" */
    char fingerprint[64]; /* "SHA256:..." as ssh-keygen -l prints it */
    char *line;           /* for known_hosts, without line end */
};

/* Asks for the host key and hangs up: for `trust`, where a person compares the fingerprint. Nothing is trusted. */
struct err *ssh_host_key(struct ssh_host_key *ret, const struct ssh_target *t, const struct cancel *c) ERR_MUST;
void ssh_host_key_done(struct ssh_host_key *k);
