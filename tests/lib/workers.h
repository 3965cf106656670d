/* SPDX-License-Identifier: MIT */
/* Functions for groups and pools to run, and what they count. */
#ifndef REEVE_TESTS_LIB_WORKERS_H
#define REEVE_TESTS_LIB_WORKERS_H

#include <reeve/group.h>
#include <reeve/sleep.h>

#include "tests/support/test.h"

static _Atomic int running, peak, total, release_all;

static inline int enter(void)
{
    int now = atomic_fetch_add(&running, 1) + 1, seen = atomic_load(&peak);

    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now))
        ;
    atomic_fetch_add(&total, 1);
    return now;
}

static inline void reset(void)
{
    atomic_store(&running, 0);
    atomic_store(&peak, 0);
    atomic_store(&total, 0);
    atomic_store(&release_all, 0);
}

static inline int brief(struct rv_context *ctx, void *arg)
{
    (void)arg;
    enter();
    (void)!rv_sleep(ctx, 50 * RV_MICROSECOND);
    atomic_fetch_sub(&running, 1);
    return 0;
}

static inline int until_cancelled(struct rv_context *ctx, void *arg)
{
    (void)arg;
    enter();
    rv_context_wait(ctx);
    atomic_fetch_sub(&running, 1);
    return rv_context_err(ctx);
}

static inline int until_released(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    enter();
    while (!atomic_load(&release_all))
        sched_yield();
    atomic_fetch_sub(&running, 1);
    return 0;
}

#endif
