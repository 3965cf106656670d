/* SPDX-License-Identifier: MIT */
/* libreeve: bounded pools and groups. */
#include <reeve/group.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/sleep.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/histogram.h"
#include "bench/runtime/reeve.h"

static _Atomic uint64_t done;
static uint64_t rounds;

static int add(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    atomic_fetch_add_explicit(&done, (uintptr_t)arg, memory_order_relaxed);
    return 0;
}

static int empty(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    return 0;
}

static int busy(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    atomic_fetch_add_explicit(&done, burn((uintptr_t)arg, rounds) & 1, memory_order_relaxed);
    return 0;
}

static struct rv_pool *make_pool(const struct size *size)
{
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = size->workers,
                                      .queue = (unsigned)size->capacity,
                                      .timeout = RV_FOREVER};
    struct rv_pool *pool;

    check(rv_pool_create(rv_context_background(), &options, &pool), "rv_pool_create");
    return pool;
}

static uint64_t through_pool(const struct size *size, rv_function fn)
{
    struct rv_context *ctx = rv_context_background();
    struct rv_pool *pool = make_pool(size);

    begin();
    for (uint64_t i = 0; i < size->count; i++)
        check(rv_pool_submit(ctx, pool, fn, (void *)(uintptr_t)i), "rv_pool_submit");
    check(rv_pool_drain(ctx, pool), "rv_pool_drain");
    end();
    rv_pool_destroy(pool);
    return atomic_load(&done);
}

uint64_t reeve_pool(const struct size *size)
{
    return through_pool(size, add);
}

uint64_t reeve_busy(const struct size *size)
{
    rounds = size->capacity; /* of burn(), as calibrated for all */
    return through_pool(&(struct size){size->count, size->workers, 1024}, busy);
}

/* One job for an idle pool, again and again: how long until it has started. */
static _Atomic uint64_t started_at;

static int note_start(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_store(&started_at, now_ns());
    return 0;
}

uint64_t reeve_latency(const struct size *size)
{
    struct rv_context *ctx = rv_context_background();
    struct histogram *histogram = calloc(1, sizeof(*histogram));
    struct rv_pool *pool = make_pool(size);

    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        uint64_t before;

        /* Long enough that the pool sleeps. */
        rv_sleep(ctx, 200 * RV_MICROSECOND);
        atomic_store(&started_at, 0);
        before = now_ns();
        check(rv_pool_submit(ctx, pool, note_start, NULL), "rv_pool_submit");
        while (atomic_load(&started_at) == 0)
            rv_sleep(ctx, 20 * RV_MICROSECOND);
        histogram_add(histogram, atomic_load(&started_at) - before);
    }
    end();
    report("p50", (double)histogram_percentile(histogram, 0.5) / 1e9);
    report("p99", (double)histogram_percentile(histogram, 0.99) / 1e9);
    free(histogram);
    rv_pool_destroy(pool);
    return size->count;
}

uint64_t reeve_group(const struct size *size)
{
    struct rv_group *group;

    begin();
    check(rv_group_create(rv_context_background(), &group), "rv_group_create");
    rv_group_set_limit(group, size->workers);
    for (uint64_t i = 0; i < size->count; i++)
        check(rv_group_go(group, empty, NULL), "rv_group_go");
    check(rv_group_wait(group), "rv_group_wait");
    rv_group_destroy(group);
    end();
    return atomic_load(&done);
}
