/* SPDX-License-Identifier: MIT */
/* What a crashed host wrote into its crash record, in words. */
#ifndef REEVE_SUPERVISOR_CRASH_H
#define REEVE_SUPERVISOR_CRASH_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/wire/scoreboard.h"

/* The last crash of a module. All are "" when there was none. */
struct crash {
    char task[SCOREBOARD_NAME_SIZE]; /* or pool, init, ...: what ran */
    char summary[160];               /* "SIGSEGV in check run 12": fit for everybody */
    char place[512]; /* "at address 0x10, frames: probe.so+0x1139 ...": for operators only */
};

/* Reads the record, if there is one and it concerns the slot or nobody in particular. */
void crash_read(const struct scoreboard *board, uint32_t slot, struct crash *ret_crash);

#endif
