/* SPDX-License-Identifier: MIT */
/*
 * Processes that a module forks share the scoreboard and the control socket with their host, and
 * have its locks as they were. Their words must not be taken for the host's.
 */
#ifndef REEVE_HOST_PROCESS_FORKED_H
#define REEVE_HOST_PROCESS_FORKED_H

#include <stdbool.h>

/* From here on forks are noticed. Returns 0 or -ENOMEM. */
int forked_watch(void);

/* Whether this process is one. Async-signal-safe. */
bool forked_is(void);

#endif
