/* SPDX-License-Identifier: MIT */
/* The effects of signals on a process of ours, whatever the one that started it had set. */
#ifndef REEVE_BASE_DISPOSITIONS_H
#define REEVE_BASE_DISPOSITIONS_H

#include <spawn.h>

/*
 * Ignores the signals that a call may cause beside its result, and keeps the status of children for
 * the process that waits for them. To be called first in main(); programs that the process starts
 * are to begin with defaults.
 */
void dispositions_set(void);

/* For a program that the process starts: default signals, and none blocked, with these further
 * flags of posix_spawnattr_setflags(3). Returns 0 or an errno, as posix_spawn(3) does. */
int dispositions_for_child(posix_spawnattr_t *attributes, short flags);

#endif
