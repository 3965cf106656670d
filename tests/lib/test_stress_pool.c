/* SPDX-License-Identifier: MIT */
/*
 * Pools and groups under random use from many threads: their books balance and their limits hold,
 * whatever is cancelled when. Each test does a bounded amount of work.
 */
#include <reeve/pool.h>
#include <reeve/sleep.h>

#include "tests/lib/random.h"

#define THREADS 4

/* Pools ------------------------------------------------------------------- */

struct books {
    struct rv_pool *pool;
    _Atomic int accepted, ended, started;
    unsigned round;
};

static void note_end(const struct rv_outcome *end, void *arg)
{
    (void)end;
    atomic_fetch_add(&((struct books *)arg)->ended, 1);
}

static int some_job(struct rv_context *ctx, void *arg)
{
    struct dice dice = dice_for(77, (unsigned)(uintptr_t)arg);

    switch (roll(&dice, 4)) {
    case 0:
        return rv_sleep(ctx, roll(&dice, 50) * RV_MICROSECOND);
    case 1:
        return -EIO;
    default:
        return 0;
    }
}

struct submitter {
    struct books *books;
    unsigned number;
};

static int submit_jobs(void *arg)
{
    struct submitter *submitter = arg;
    struct books *books = submitter->books;
    struct dice dice = dice_for(books->round, submitter->number);

    for (int i = 0; i < 150; i++) {
        void *job = (void *)(uintptr_t)roll(&dice, 1000);
        struct rv_context *ctx = some_context(&dice, NULL);
        int r;

        if (!ctx)
            return -ENOMEM;
        if (roll(&dice, 3) == 0)
            r = rv_pool_try_submit(books->pool, some_job, job);
        else
            r = rv_pool_submit(ctx, books->pool, some_job, job);
        if (r == 0)
            atomic_fetch_add(&books->accepted, 1);
        rv_context_unref(ctx);
    }
    return 0;
}

static void test_pools(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 24; round++) {
        struct dice dice = dice_for(round, 1000);
        struct books books = {.round = round};
        struct rv_pool_options options = {.size = sizeof(options),
                                          .workers = 1 + roll(&dice, 4),
                                          .queue = 1 + roll(&dice, 8),
                                          .retries = roll(&dice, 3),
                                          .backoff = 10 * RV_MICROSECOND,
                                          .timeout =
                                              roll(&dice, 2) ? 20 * RV_MICROSECOND : RV_FOREVER,
                                          .ended = note_end,
                                          .arg = &books};
        struct submitter submitters[THREADS];
        struct caller callers[THREADS];
        struct rv_pool_stats stats;
        bool whole = round % 3 == 0;

        assert_int_equal(rv_pool_create(bg, &options, &books.pool), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            submitters[i] = (struct submitter){&books, i};
            caller_start(&callers[i], submit_jobs, &submitters[i]);
        }
        if (!whole) {
            assert_int_equal(rv_sleep(bg, roll(&dice, 3000) * RV_MICROSECOND), 0);
            if (round % 3 == 1)
                rv_pool_cancel(books.pool, -ESHUTDOWN, "enough");
            else
                rv_pool_discard(books.pool, -ESHUTDOWN, "enough");
        }
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        assert_int_equal(rv_pool_drain(bg, books.pool), 0);
        rv_pool_stats(books.pool, &stats);
        assert_int_equal(stats.accepted, books.accepted);
        assert_int_equal(stats.accepted, stats.finished + stats.failed + stats.lost);
        assert_int_equal(books.ended, books.accepted);
        if (whole)
            assert_int_equal(stats.lost, 0);
        rv_pool_destroy(books.pool);
        assert_int_equal(books.ended, books.accepted);
    }
}

/* Groups ------------------------------------------------------------------ */

struct crowd {
    struct rv_group *group;
    _Atomic int accepted, ran, inside, peak;
    unsigned round;
};

static int be_there(struct rv_context *ctx, void *arg)
{
    struct crowd *crowd = arg;
    int now = atomic_fetch_add(&crowd->inside, 1) + 1, seen = atomic_load(&crowd->peak);
    int number = atomic_fetch_add(&crowd->ran, 1);

    while (now > seen && !atomic_compare_exchange_weak(&crowd->peak, &seen, now))
        ;
    if (number % 7 == 0)
        (void)!rv_sleep(ctx, 20 * RV_MICROSECOND);
    atomic_fetch_sub(&crowd->inside, 1);
    return crowd->round % 3 == 2 && number == 50 ? -EIO : 0;
}

struct starter {
    struct crowd *crowd;
    unsigned number;
};

static int start_many(void *arg)
{
    struct starter *starter = arg;
    struct crowd *crowd = starter->crowd;
    struct dice dice = dice_for(crowd->round, starter->number);

    for (int i = 0; i < 100; i++) {
        int r = roll(&dice, 4) ? rv_group_go(crowd->group, be_there, crowd)
                               : rv_group_try_go(crowd->group, be_there, crowd);

        if (r == 0)
            atomic_fetch_add(&crowd->accepted, 1);
        else if (r != -EAGAIN && r != -EIO && r != -ESHUTDOWN)
            return r;
    }
    return 0;
}

static void test_groups(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 24; round++) {
        struct dice dice = dice_for(round, 1000);
        struct crowd crowd = {.round = round};
        unsigned limit = roll(&dice, 5);
        struct starter starters[THREADS];
        struct caller callers[THREADS];
        struct rv_context *ctx;
        struct rv_cancel *cancel;
        int r;

        assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
        assert_int_equal(rv_group_create(ctx, &crowd.group), 0);
        rv_group_set_limit(crowd.group, limit);
        for (unsigned i = 0; i < THREADS; i++) {
            starters[i] = (struct starter){&crowd, i};
            caller_start(&callers[i], start_many, &starters[i]);
        }
        if (round % 3 == 1) {
            assert_int_equal(rv_sleep(bg, roll(&dice, 1000) * RV_MICROSECOND), 0);
            rv_context_cancel(cancel, -ESHUTDOWN, NULL);
        }
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        r = rv_group_wait(crowd.group);
        rv_group_destroy(crowd.group);
        assert_int_equal(crowd.ran, crowd.accepted);
        assert_int_equal(r, round % 3 == 2 && crowd.ran > 50 ? -EIO : 0);
        assert_true(limit == 0 || crowd.peak <= (int)limit);
        rv_context_unref(ctx);
    }
}

static int setup(void **state)
{
    (void)state;
    seed_stress();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests_name("stress pool", tests, setup, NULL);
}
