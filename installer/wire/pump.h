/* pump: a stream tied to a socket, both ways: the two ends of a tunnel. */
#pragma once
#include "wire/stream.h"

/*
 * Carries bytes between `s` and the socket `fd` (made non-blocking; borrowed) until both directions have ended or
 * the socket is gone. An end of one direction is passed on alone, as TCP does. ERR_UNREACHABLE when the stream fails.
 */
struct err *pump_tunnel(struct stream *s, int fd, const struct cancel *c) ERR_MUST;
/* Writes the body of `s` to `fd` (blocking) up to its end; *ret_n (may be NULL) counts the bytes. */
struct err *pump_to_fd(struct stream *s, int fd, uint64_t *ret_n) ERR_MUST;
