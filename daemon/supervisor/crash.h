/* SPDX-License-Identifier: MIT */
/* What a crashed host wrote into its crash record, in words. */
#ifndef REEVE_SUPERVISOR_CRASH_H
#define REEVE_SUPERVISOR_CRASH_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/wire/scoreboard.h"

/*
 * Writes "SIGSEGV at 0x10 in check run 12: probe.so+0x1139 libc.so.6+0x3c050 ..." if the record is
 * there, and it concerns the slot or nobody in particular. Otherwise the buffer stays as it is.
 */
void crash_describe(const struct scoreboard *board, uint32_t slot, char *buffer, size_t size);

#endif
