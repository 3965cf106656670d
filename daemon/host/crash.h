/* SPDX-License-Identifier: MIT */
/*
 * Crashes: a handler stores signal, address, what was running and the frames in the scoreboard, and
 * lets the signal do its work, so that a core dump is still made. Symbols are looked up later,
 * elsewhere.
 */
#ifndef REEVE_HOST_CRASH_H
#define REEVE_HOST_CRASH_H

/* Installs the handlers, of crashes and of hangs. Returns 0 or a negative errno. */
int crash_install(void);

/* Gives the calling thread a stack to crash on, and lets the signals through; once. */
void crash_prepare_thread(void);

#endif
