/* SPDX-License-Identifier: MIT */
/*
 * Chance for stress tests of contexts. Threads still take turns as they please; the seed only
 * repeats what they try.
 */
#ifndef REEVE_TESTS_LIB_RANDOM_H
#define REEVE_TESTS_LIB_RANDOM_H

#include <reeve/context.h>

#include "tests/support/dice.h"

static struct rv_context *bg;

static inline void seed_stress(void)
{
    bg = rv_context_background();
    seed_dice();
}

/* A context that ends soon, later, or never; mostly soon enough to hit what it is for. */
static inline struct rv_context *some_context(struct dice *dice, struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx = NULL;
    int r;

    switch (roll(dice, 4)) {
    case 0:
        r = rv_context_with_cancel(bg, &ctx, ret_cancel);
        break;
    case 1:
        r = rv_context_with_timeout(bg, roll(dice, 20) * RV_MICROSECOND, &ctx, ret_cancel);
        break;
    default:
        r = rv_context_with_timeout(bg, roll(dice, 200) * RV_MICROSECOND, &ctx, ret_cancel);
        break;
    }
    return r == 0 ? ctx : NULL;
}

#endif
