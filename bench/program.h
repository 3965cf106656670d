/* SPDX-License-Identifier: MIT */
/*
 * A benchmark program is `PROGRAM COUNT WORKERS`: it does its work once and prints
 * {"seconds": S, "result": N}. The result is what the work produced, the same for all peers.
 */
#ifndef REEVE_BENCH_PROGRAM_H
#define REEVE_BENCH_PROGRAM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct program {
    uint64_t count;
    unsigned workers;
    double started;
};

static inline double program_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void program_start(struct program *program, int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: %s COUNT WORKERS\n", argv[0]);
        exit(2);
    }
    program->count = strtoull(argv[1], NULL, 10);
    program->workers = (unsigned)strtoul(argv[2], NULL, 10);
    program->started = program_now();
}

static inline void program_finish(const struct program *program, uint64_t result)
{
    printf("{\"seconds\": %.9f, \"result\": %" PRIu64 "}\n", program_now() - program->started,
           result);
}

#endif
