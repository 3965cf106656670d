/* SPDX-License-Identifier: MIT */
/*
 * Chance for tests: REEVE_SEED, or a seed of its own, which is printed so that a failure can be
 * tried again.
 */
#ifndef REEVE_TESTS_SUPPORT_DICE_H
#define REEVE_TESTS_SUPPORT_DICE_H

#include <time.h>

#include "tests/support/test.h"

static uint64_t stress_seed;

static inline void seed_dice(void)
{
    const char *given = getenv("REEVE_SEED");
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    stress_seed = given ? strtoull(given, NULL, 0)
                        : ((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec) ^
                              (uint64_t)getpid() << 32;
    printf("REEVE_SEED=%llu\n", (unsigned long long)stress_seed);
    fflush(stdout);
}

/* A generator of a thread's own. */
struct dice {
    uint64_t state;
};

static inline struct dice dice_for(unsigned round, unsigned thread)
{
    return (struct dice){(stress_seed + 1) * 0x9e3779b97f4a7c15u +
                         ((uint64_t)round << 32 | (thread + 1)) * 0xbf58476d1ce4e5b9u};
}

/* From 0 to sides - 1. */
static inline unsigned roll(struct dice *dice, unsigned sides)
{
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return (unsigned)((dice->state >> 11) % sides);
}

#endif
