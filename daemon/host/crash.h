/* SPDX-License-Identifier: MIT */
/*
 * Crashes: a handler stores signal, address, what was running and the frames in the scoreboard, and
 * lets the signal do its work, so that a core dump is still made. Symbols are looked up later,
 * elsewhere.
 */
#ifndef REEVE_HOST_CRASH_H
#define REEVE_HOST_CRASH_H

/* Installs the handlers. Returns 0 or a negative errno. */
int crash_install(void);

/* Takes a picture of the loaded objects, for the frames; after every load. */
void crash_map_objects(void);

/* Gives the calling thread a stack to crash on, once. */
void crash_prepare_thread(void);

#endif
