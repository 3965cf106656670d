/* SPDX-License-Identifier: MIT */
/*
 * The host's pen: records of the scoreboard are handed out and written here, and what each thread
 * runs is known, for the scoreboard and for the crash handler.
 *
 * Without a supervisor (--run) the board is memory of the host's own that nobody reads.
 */
#ifndef REEVE_HOST_REPORT_BOARD_H
#define REEVE_HOST_REPORT_BOARD_H

#include <reeve/context.h>
#include <sys/types.h>

#include "wire/scoreboard.h"

/* Maps the inherited scoreboard, or makes private memory for fd -1. Returns 0 or a negative errno.
 */
int board_open(int fd);

/* The record of a module's slot, of a new task or pool; NULL when the process has had as many as
 * there are. A module that starts again gets its records of the same names back. */
struct scoreboard_module *board_module(uint32_t slot, const char *name);
struct scoreboard_task *board_task(uint32_t slot, const char *name);
struct scoreboard_pool *board_pool(uint32_t slot, const char *name);
/* Then -ENOSPC, with a text; kind is "task" or "pool", and most how many there are. */
int board_refuse(const char *kind, const char *name, int most);
/* Where it stands when work of the module's last moved. */
_Atomic int64_t *board_moved(uint32_t slot);
struct scoreboard_stack *board_crash(void);
struct scoreboard_stack *board_hang(void);
/* i is below SCOREBOARD_OBJECTS. */
struct scoreboard_object *board_object(unsigned i);

/* A module that starts, perhaps in a host where it ran before: its counters begin at zero, since
 * the supervisor has taken in those of its last life, and books tells that they have. Run numbers
 * go on. The module's record must be locked. */
void board_begin_books(uint32_t slot);

/* The work of the calling thread from now on, until board_leave(): for the thread's record and for
 * a crash. The name must live until then. busy_until is when it hangs; 0: it may take for ever. */
void board_enter(uint32_t slot, const char *what, uint64_t run, rv_time busy_until);
void board_leave(void);

/* The thread that has been in a call of the module for longest. Returns its id, 0 for none; what
 * must have room for SCOREBOARD_NAME_SIZE bytes. */
pid_t board_longest_call(uint32_t slot, char *what, uint64_t *ret_run);

/* For the crash handler: what the calling thread runs; async-signal-safe. */
struct board_activity {
    uint32_t slot; /* UINT32_MAX: nothing of a module */
    const char *what;
    uint64_t run;
};
const struct board_activity *board_activity(void);

#endif
