/* attempt: one request for a range, and the redirects on its way. Private to http/. */
#pragma once
#include "http/range.h"

struct attempt {
    const struct http_range *ask;
    const struct http_way *way;
    struct http *conn;
    const struct http_sink *sink;
    struct http_found *found;
    uint64_t at; /* the next byte wanted */
    bool begun;  /* the sink knows of the file */

    /* of the request that runs */
    bool seen;           /* its answer's head was read */
    bool redirect;       /* it is one */
    bool no_file;        /* its body is not the file's: nobody reads it */
    bool open_ended;     /* nobody said how long the body is */
    uint64_t left;       /* bytes that the body may still have */
    uint64_t ignored;    /* bytes of such a body */
    struct err *failure; /* what the sink or the head's check said */

    /* of the attempt, beside an error */
    bool again;     /* the fault may pass */
    int64_t wait_s; /* what the server asks to wait, or 0 */
};

/* Asks for the bytes from `at` on and gives those that come to the sink. */
struct err *attempt_run(struct attempt *a) ERR_MUST;
