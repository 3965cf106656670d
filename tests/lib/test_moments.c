/* SPDX-License-Identifier: MIT */
/* Endings that come at the very moment at which something else begins. */
#include <reeve/channel.h>
#include <reeve/host.h>
#include <reeve/pool.h>
#include <reeve/ticker.h>

#include "tests/lib/threads.h"
#include "tests/lib/workers.h"
#include "tests/support/dice.h"

static struct rv_context *bg;

/* So many nanoseconds from now, the processor kept. */
static void spin_for(rv_duration time)
{
    rv_time end = rv_now() + time;

    while (rv_now() < end)
        ;
}

/* Periodic functions ------------------------------------------------------ */

static _Atomic int begun;

static int wait_for_cancel(struct rv_context *ctx, void *arg)
{
    (void)arg;
    atomic_store(&begun, 1);
    rv_context_wait(ctx);
    return 0;
}

static int do_nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

/* The run is cancelled, whether the stop finds it or it finds the stop. */
static void test_a_stop_as_a_run_begins(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR};
    struct rv_periodic *periodic;
    struct dice dice = dice_for(0, 0);
    (void)state;

    for (int round = 0; round < rounds_of(20000); round++) {
        rv_time latest = rv_now() + roll(&dice, 100000);

        atomic_store(&begun, 0);
        assert_int_equal(rv_periodic_create(bg, &spec, wait_for_cancel, NULL, &periodic), 0);
        while (rv_now() < latest && !atomic_load(&begun))
            ;
        rv_periodic_destroy(periodic);
    }
}

#define TOGETHER 48

static int stop_many(struct rv_context *ctx, void *arg)
{
    struct rv_periodic *periodics[TOGETHER];
    struct dice dice = dice_for(0, 1);
    (void)arg;

    for (int round = 0; round < rounds_of(3000); round++) {
        rv_time due = rv_now() + 300 * RV_MICROSECOND;

        for (int i = 0; i < TOGETHER; i++) {
            rv_duration delay = due - rv_now();
            struct rv_periodic_spec spec = {
                .size = sizeof(spec), .interval = RV_HOUR, .delay = delay > 0 ? delay : 0};

            if (rv_periodic_create(ctx, &spec, do_nothing, NULL, &periodics[i]) < 0)
                return -EIO;
        }
        spin_for(due - rv_now() + roll(&dice, 120000));
        for (int i = TOGETHER; i-- > 0;)
            rv_periodic_destroy(periodics[i]);
    }
    return 0;
}

/* The one thread that there may be stops what falls due. */
static void test_a_stop_without_a_thread_as_a_run_is_due(void **state)
{
    struct rv_group *group;
    (void)state;

    limit_threads(1);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, stop_many, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    limit_threads(0);
}

static _Atomic int runs;

static int count_run(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_fetch_add(&runs, 1);
    return 0;
}

/* Work that is queued as the only thread ends gets another one. */
static void test_a_trim_as_a_run_is_queued(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = 100 * RV_MICROSECOND};
    struct rv_periodic *periodic;
    (void)state;

    limit_threads(1);
    atomic_store(&runs, 0);
    assert_int_equal(rv_periodic_create(bg, &spec, count_run, NULL, &periodic), 0);
    while (atomic_load(&runs) < rounds_of(3000))
        rv_host_trim();
    rv_periodic_destroy(periodic);
    limit_threads(0);
}

/* Pools ------------------------------------------------------------------- */

struct cancelled_pool {
    struct rv_context *parent;
    struct rv_cancel *cancel_parent;
    struct rv_pool *pool;
};

static int cancel_parent(void *arg)
{
    struct cancelled_pool *cancelled = arg;

    rv_context_cancel(cancelled->cancel_parent, -ECANCELED, "the parent ends");
    return 0;
}

static int submit_until_refused(void *arg)
{
    struct cancelled_pool *cancelled = arg;
    int r;

    do
        r = rv_pool_submit(bg, cancelled->pool, wait_for_cancel, NULL);
    while (r == 0);
    return r;
}

static void ignore(void *arg)
{
    (void)arg;
}

#define CHILDREN 50

/* The canceller has marked the pool's context and not come to the pool, as that has many siblings.
 */
static void test_a_destroy_beside_a_cancel(void **state)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = 1, .queue = 1, .timeout = RV_FOREVER};
    struct rv_context *children[CHILDREN];
    struct rv_after *afters[CHILDREN];
    struct caller submitter, canceller;
    (void)state;

    for (int round = 0; round < rounds_of(100); round++) {
        struct cancelled_pool cancelled;

        assert_int_equal(rv_context_with_cancel(bg, &cancelled.parent, &cancelled.cancel_parent),
                         0);
        assert_int_equal(rv_pool_create(cancelled.parent, &options, &cancelled.pool), 0);
        for (int i = 0; i < CHILDREN; i++) {
            assert_int_equal(rv_context_with_cancel(cancelled.parent, &children[i], NULL), 0);
            assert_int_equal(rv_after_create(children[i], ignore, NULL, &afters[i]), 0);
        }
        caller_start(&submitter, submit_until_refused, &cancelled);
        caller_wait_blocked(&submitter);
        caller_start(&canceller, cancel_parent, &cancelled);
        while (rv_context_err(cancelled.parent) == 0)
            ;
        rv_pool_destroy(cancelled.pool);
        assert_int_equal(caller_join(&submitter), -ECANCELED);
        caller_join(&canceller);
        for (int i = 0; i < CHILDREN; i++) {
            rv_after_destroy(afters[i]);
            rv_context_unref(children[i]);
        }
        rv_context_unref(cancelled.parent);
    }
}

static struct rv_channel *handed;

static int take_handed(struct rv_context *ctx, void *arg)
{
    int value, r = rv_channel_recv(ctx, handed, &value);
    (void)arg;

    atomic_store(&release_all, 1);
    return r;
}

static int hand(struct rv_context *ctx, void *arg)
{
    int value = 1;
    (void)arg;

    return rv_channel_send(ctx, handed, &value);
}

static int spin_a_little(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    spin_for(RV_MICROSECOND);
    return 0;
}

static int keep_full(void *arg)
{
    int r;

    do
        r = rv_pool_submit(bg, arg, spin_a_little, NULL);
    while (r == 0);
    return r;
}

/* A job that waits for the one behind it gets it, though there is always something in the queue. */
static void test_a_job_behind_one_that_blocks(void **state)
{
    struct rv_pool_options options = {.size = sizeof(options), .workers = 2, .timeout = RV_FOREVER};
    struct caller callers[2];
    struct rv_pool *pool;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(int), 0, &handed), 0);
    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    for (int i = 0; i < 2; i++)
        caller_start(&callers[i], keep_full, pool);
    for (int round = 0; round < rounds_of(50); round++) {
        atomic_store(&release_all, 0);
        assert_int_equal(rv_pool_submit(bg, pool, take_handed, NULL), 0);
        assert_int_equal(rv_pool_submit(bg, pool, hand, NULL), 0);
        wait_value(&release_all, 1);
    }
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(caller_join(&callers[i]), -EPIPE);
    rv_pool_destroy(pool);
    rv_channel_unref(handed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stop_as_a_run_begins),
        cmocka_unit_test(test_a_stop_without_a_thread_as_a_run_is_due),
        cmocka_unit_test(test_a_trim_as_a_run_is_queued),
        cmocka_unit_test(test_a_destroy_beside_a_cancel),
        cmocka_unit_test(test_a_job_behind_one_that_blocks),
    };

    bg = rv_context_background();
    seed_dice();
    return cmocka_run_group_tests_name("moments", tests, NULL, NULL);
}
