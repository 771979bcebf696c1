/* peer_input: bytes as a hostile peer would send them, given to both sides of the protocol. */
#pragma once
#include <stddef.h>

/* Feeds the bytes to a server, then to a client with one call waiting; returns when both have ended. */
void peer_input_run(const void *p, size_t n);
