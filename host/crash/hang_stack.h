/* SPDX-License-Identifier: MIT */
/*
 * The activity of a thread that does not return: its stack, taken by a signal to it, and the place
 * in the kernel where it waits, which is all there is to know of one that blocks the signal.
 */
#ifndef REEVE_HOST_CRASH_HANG_STACK_H
#define REEVE_HOST_CRASH_HANG_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Returns 0 or a negative errno. */
int hang_install(void);

/*
 * Fills the scoreboard's record of a hang. Only the first one is noted, since a host that has one
 * is about to end. Blocks for half a second as a rule, at most two. Returns whether it was the
 * first.
 */
bool hang_note(pid_t tid, uint32_t slot, const char *what, uint64_t run);

/* The thread has returned after all: the next hang may be noted. */
void hang_forget(void);

#endif
