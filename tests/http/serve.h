/* serve: runs a python3 server script of the tests; it says its ports on the first line of its output and ends with us.
 */
#pragma once
#include "base/buf.h"

#include <sys/types.h>

struct serve {
    pid_t pid;
    int out;       /* its standard output */
    char dir[256]; /* folder for its files, gone after serve_stop() */
    char line[256];
};

/* Returns why it does not run, or NULL. `script` is a path; its only argument is the folder. */
const char *serve_start(struct serve *s, const char *script);
void serve_stop(struct serve *s);
/* Makes ca.pem, server.pem/.key (127.0.0.1, localhost) and client.pem/.key in `dir`; false without openssl. */
bool serve_certs(const char *dir);
