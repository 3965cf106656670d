/* SPDX-License-Identifier: MIT */
/* The two clocks, in int64 nanoseconds: monotonic for intervals, real time for people. */
#ifndef REEVE_BASE_CLOCK_H
#define REEVE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/duration.h"

static inline int64_t clock_read(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static inline int64_t clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static inline int64_t clock_realtime(void)
{
    return clock_read(CLOCK_REALTIME);
}

/* Long enough for "2026-11-24T11:24:09.123Z". */
#define CLOCK_TEXT_SIZE 32

/* Writes a real time as RFC 3339 in UTC with milliseconds. Returns buffer. */
char *clock_format(int64_t realtime_ns, char *buffer, size_t size);

#endif
