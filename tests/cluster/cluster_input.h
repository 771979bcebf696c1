/* cluster_input: any bytes as a cluster.yaml. */
#pragma once
#include <stddef.h>

/*
 * Writes the bytes to `path` and loads them. Ends the process when the answer breaks a rule: an error is a usage error
 * without control characters in its text; a cluster that was accepted has sound hosts and networks.
 */
void cluster_input_run(const char *path, const void *p, size_t n);
