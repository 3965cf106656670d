/* SPDX-License-Identifier: MIT */
/*
 * Function names and lines for the stack of a module that crashed or hung. They are looked up by a
 * process of its own, reeve-symbols: the files are whatever the dead host named, and reading debug
 * information is a large piece of code. It is sandboxed as a check is, under the module's user or a
 * lesser one, and opens only the module's files, ours and the system's.
 */
#ifndef REEVE_DAEMON_UNIT_SYMBOLS_H
#define REEVE_DAEMON_UNIT_SYMBOLS_H

#include "daemon/process/crash.h"

struct units;
struct symbols;
struct unit;

int symbols_create(struct units *units, struct symbols **ret_symbols);
void symbols_destroy(struct symbols *symbols);

/*
 * Starts looking up the frames of the unit's crash. The names are logged, and take the place of
 * the bare frames in the unit's record; at once for a stack that was looked up before. Does nothing
 * when the program is not there, without memory, or while too many are being looked up: the bare
 * frames were logged already. told: so are the names, of another module.
 */
void symbols_look_up(struct symbols *symbols, struct unit *unit, const struct crash_frames *frames,
                     bool told);

/* At the end, when nothing runs any more: returns whether nothing is looked up; else the supervisor
 * settles again when that is so, in two seconds at the latest: one that does not end then is left
 * to orphan.h. */
bool symbols_finish(struct symbols *symbols);
/* Looks up nothing any more. */
void symbols_abandon(struct symbols *symbols);

#endif
