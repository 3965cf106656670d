/* SPDX-License-Identifier: MIT */
/*
 * Crashes: a handler stores signal, address, what was running and the frames in the scoreboard, and
 * lets the signal do its work, so that a core dump is still made. Symbols are looked up later,
 * elsewhere.
 */
#ifndef REEVE_HOST_CRASH_CRASH_H
#define REEVE_HOST_CRASH_CRASH_H

struct scoreboard_stack;

/* Installs the handlers, of crashes and of hangs, and prepares this thread and those of the runtime
 * for them. report is called by the handler once a crash is noted; NULL: the supervisor will read
 * it. Returns 0 or a negative errno. */
int crash_install(void (*report)(const struct scoreboard_stack *crash));

#endif
