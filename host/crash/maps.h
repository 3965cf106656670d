/* SPDX-License-Identifier: MIT */
/*
 * Which files lie where in memory, as the kernel tells: for a signal handler, which must not ask
 * the loader. That would wait for a lock which the thread that has crashed may hold, as it does
 * while it loads a file.
 */
#ifndef REEVE_HOST_CRASH_MAPS_H
#define REEVE_HOST_CRASH_MAPS_H

#include <stdint.h>

struct mapping {
    uintptr_t start, end;
    uintptr_t base;   /* where the file begins */
    const char *path; /* cut if it is long */
};

/* Opens what is read later: then there may be no descriptor left, or no right to open it. */
void maps_open(void);

/* Calls fn for each mapping of a file, by address; does nothing if it cannot be read.
 * Async-signal-safe after maps_open(). */
void maps_each(void (*fn)(const struct mapping *mapping, void *arg), void *arg);

#endif
