/* SPDX-License-Identifier: MIT */
/*
 * Randomness for stress tests: REEVE_SEED, or one of its own, which is printed so that a failure
 * can be tried again. Threads still take turns as they please; the seed only repeats what they
 * try.
 */
#ifndef REEVE_TESTS_LIB_RANDOM_H
#define REEVE_TESTS_LIB_RANDOM_H

#include <reeve/context.h>

#include "tests/support/test.h"

static uint64_t stress_seed;
static struct rv_context *bg;

static inline void seed_stress(void)
{
    const char *given = getenv("REEVE_SEED");

    bg = rv_context_background();
    stress_seed = given ? strtoull(given, NULL, 0) : (uint64_t)rv_now() ^ (uint64_t)getpid() << 32;
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

/* A context that ends soon, later, or never; mostly soon enough to hit what it is for. */
static inline struct rv_context *some_context(struct dice *dice)
{
    struct rv_context *ctx = NULL;
    int r;

    switch (roll(dice, 4)) {
    case 0:
        r = rv_context_with_cancel(bg, &ctx);
        break;
    case 1:
        r = rv_context_with_timeout(bg, roll(dice, 20) * RV_MICROSECOND, &ctx);
        break;
    default:
        r = rv_context_with_timeout(bg, roll(dice, 200) * RV_MICROSECOND, &ctx);
        break;
    }
    return r == 0 ? ctx : NULL;
}

#endif
