/* SPDX-License-Identifier: MIT */
/* The words of a host that crashed, or had a task that hangs, written into its scoreboard, in
 * words. */
#ifndef REEVE_DAEMON_PROCESS_CRASH_H
#define REEVE_DAEMON_PROCESS_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/scoreboard.h"

/* The last crash or hang of a module. All are "" when there was none. */
struct crash {
    uint64_t id; /* tells one from the next, for whoever comes back with its symbols */
    bool hang;   /* no signal ended it: something went on for too long */
    char task[SCOREBOARD_NAME_SIZE]; /* or pool, init, ...: what ran */
    char summary[160];               /* "SIGSEGV in check run 12": fit for everybody */
    char facts[96];    /* "at address 0x10", "sleeping in futex_wait": for operators */
    char frames[1024]; /* "probe.so+0x1139 ...", with symbols once they are known */
};

/* The places of a stack, as (file, offset), for symbols. */
struct crash_frames {
    unsigned count;
    struct {
        char path[SCOREBOARD_PATH_SIZE];
        uint64_t offset;
    } frames[SCOREBOARD_FRAMES];
};

/* Reads the record, if there is one and it concerns the slot or nobody in particular. ret_frames
 * may be NULL. */
void crash_read(const struct scoreboard *board, uint32_t slot, struct crash *ret_crash,
                struct crash_frames *ret_frames);

/* Everything that is known of it: "SIGSEGV in check run 12 at address 0x10, frames: ..."; "" for
 * none. */
void crash_describe(const struct crash *crash, char *buffer, size_t size);

#endif
