/* SPDX-License-Identifier: MIT */
/*
 * The stack of a thread as pairs of (file, offset), taken in a signal handler of its own. Symbols
 * are looked up later, by a process that has not crashed.
 */
#ifndef REEVE_HOST_CRASH_FRAMES_H
#define REEVE_HOST_CRASH_FRAMES_H

#include "wire/scoreboard.h"

/* Makes the unwinder ready, which a handler must not do, and takes the first picture of the
 * objects. */
void frames_install(void);

/* Takes a picture of the loaded files; after every load. A handler finds by itself a file that is
 * loaded since, or just now. */
void frames_map_objects(void);

/* Notes the frames of the calling handler's thread, from the interrupted instruction on, which
 * comes with the handler's ucontext. Async-signal-safe after frames_install(). */
void frames_note(struct scoreboard_stack *stack, const void *context);

/* "probe.so+0x1139 ...": what fits. Async-signal-safe. */
void frames_format(const struct scoreboard_stack *stack, char *buffer, size_t size);

#endif
