/* sshconf: what the operator's own ssh client would use for a host (`ssh -G`), so that ~/.ssh/config counts here too.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct ssh_conf {
    char *address; /* HostName */
    char *user;
    int port;
    struct strs key_files; /* IdentityFile entries that exist, "~" resolved */
    char *jump;            /* ProxyJump, or NULL: "user@host:port", possibly several with commas */
    bool identities_only;
};

/* Fills *ret for `host`. ERR_USAGE for a name that ssh would take for an option. Without an ssh program it stays empty.
 */
struct err *ssh_conf_read(struct ssh_conf *ret, const char *host) ERR_MUST;
void ssh_conf_done(struct ssh_conf *c);
#define OWN_SSH_CONF OWN(ssh_conf_done)

/* Splits "user@host:port", "host", "[v6]:port", "ssh://user@host:port"; *ret_user NULL and *ret_port 0 when not said.
 */
struct err *ssh_conf_split(char **ret_user, char **ret_host, int *ret_port, const char *text) ERR_MUST;
