/* stop: SIGINT and SIGTERM. The first asks for a safe stop, the second ends the process with 130. */
#pragma once
#include "cli/cli.h"

/* Blocks both signals in this thread and those it starts; call before the first other thread. */
void stop_block(void);
/* Starts the thread that waits for them. It lives as long as the process, and so must `x` and its face. */
struct err *stop_watch(struct cli *x) ERR_MUST;
