/* SPDX-License-Identifier: MIT */
/*
 * A peer is a program that can do some of the works that are compared: `PEER WORK COUNT WORKERS
 * CAPACITY` does one once, and prints a line of JSON: the seconds that it took, the result that
 * the work produced (the same from every peer), and what else was measured.
 */
#ifndef REEVE_BENCH_PROGRAM_H
#define REEVE_BENCH_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

struct size {
    uint64_t count;
    unsigned workers;
    size_t capacity;
};

struct work {
    const char *name;
    /* Calls begin() after its preparations and end() before it tidies up. Returns the result. */
    uint64_t (*run)(const struct size *size);
};

/* Of each peer; ends with a name of NULL. */
extern const struct work works[];

void begin(void);
void end(void);
/* One more figure for the line. */
void report(const char *name, double value);
/* Ends the program with an error when r is negative. */
void check(int r, const char *what);

uint64_t now_ns(void);
/* Processor time of the process so far. */
uint64_t cpu_ns(void);
uint64_t resident_bytes(void);

/* Work that a compiler cannot leave out: `rounds` steps of a generator. */
uint64_t burn(uint64_t seed, uint64_t rounds);
/* How many steps take a microsecond on this machine now. */
uint64_t burn_per_microsecond(void);

#endif
