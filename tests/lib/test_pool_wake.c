/* SPDX-License-Identifier: MIT */
/* Pools: no job waits while a worker idles, wherever the job is: in the ring, in a claim, or due
 * for its next attempt. */
#include <reeve/pool.h>
#include <time.h>

#include "tests/lib/workers.h"

#define WORKERS  3
#define PATIENCE 30 /* seconds: what has not come by then never comes */

static struct rv_context *bg;

/* Jobs that end only when all workers are in one: no other worker may idle. */
static pthread_mutex_t meeting_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t met = PTHREAD_COND_INITIALIZER;
static int present, meetings;
static bool in_vain;

static int meet(struct rv_context *ctx, void *arg)
{
    struct timespec until;
    int mine;

    (void)ctx;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    pthread_mutex_lock(&meeting_lock);
    mine = meetings;
    if (++present == WORKERS) {
        present = 0;
        meetings++;
        pthread_cond_broadcast(&met);
    }
    while (mine == meetings && !in_vain)
        if (pthread_cond_timedwait(&met, &meeting_lock, &until) != 0) {
            in_vain = true;
            pthread_cond_broadcast(&met);
        }
    pthread_mutex_unlock(&meeting_lock);
    return 0;
}

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void wait_all_ended(struct rv_pool *pool)
{
    struct rv_pool_stats stats;

    do {
        sched_yield();
        rv_pool_stats(pool, &stats);
    } while (stats.finished < stats.accepted);
}

/* After many short jobs a worker claims several at once. */
static void test_claims_are_shared_by_all(void **state)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = WORKERS, .queue = 1024, .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    in_vain = false;
    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    for (int round = 0; round < 50 && !in_vain; round++) {
        for (int i = 0; i < 500; i++)
            assert_int_equal(rv_pool_submit(bg, pool, nothing, NULL), 0);
        wait_all_ended(pool);
        for (int i = 0; i < 20 * WORKERS; i++)
            assert_int_equal(rv_pool_submit(bg, pool, meet, NULL), 0);
        wait_all_ended(pool);
    }
    assert_false(in_vain);
    rv_pool_destroy(pool);
}

static int meet_again(struct rv_context *ctx, void *arg)
{
    bool *again = arg;

    if (*again)
        return meet(ctx, NULL);
    *again = true;
    return -EIO;
}

static void test_retries_are_shared_by_all(void **state)
{
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = WORKERS,
                                      .retries = 1,
                                      .backoff = 100 * RV_MICROSECOND,
                                      .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    in_vain = false;
    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    for (int round = 0; round < 200 && !in_vain; round++) {
        bool again[WORKERS] = {false};

        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(rv_pool_submit(bg, pool, meet_again, &again[i]), 0);
        wait_all_ended(pool);
    }
    assert_false(in_vain);
    rv_pool_destroy(pool);
}

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_are_shared_by_all),
        cmocka_unit_test(test_retries_are_shared_by_all),
    };

    return cmocka_run_group_tests_name("pool_wake", tests, setup, NULL);
}
