/* SPDX-License-Identifier: MIT */
/*
 * All threads that there may be are in use, and wait: whatever ends that wait needs none of them.
 */
#include <reeve/channel.h>
#include <reeve/host.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/ticker.h>

#include "tests/lib/threads.h"
#include "tests/lib/workers.h"

#define THREADS 4

static struct rv_context *bg;

static int set_limit(void **state)
{
    (void)state;
    reset();
    limit_threads(THREADS);
    return 0;
}

static int lift_limit(void **state)
{
    (void)state;
    /* Of a test that failed. */
    atomic_store(&release_all, 1);
    limit_threads(0);
    return 0;
}

/* Each thread is taken by one of these, until the pool is cancelled. */
static struct rv_pool *take_all_threads(rv_function fn, void *arg)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = THREADS, .timeout = RV_FOREVER};
    struct rv_pool *pool;

    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(rv_pool_submit(bg, pool, fn, arg), 0);
    wait_value(&running, THREADS);
    return pool;
}

static void count_up(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static _Atomic int afters, stopped;

static int stop_an_after(struct rv_context *ctx, void *arg)
{
    struct rv_after *after;
    (void)arg;

    if (rv_after_create(ctx, count_up, &afters, &after) < 0)
        return -EIO;
    enter();
    rv_context_wait(ctx);
    atomic_fetch_add(&stopped, rv_after_destroy(after));
    return 0;
}

static void test_an_after_is_stopped(void **state)
{
    struct rv_pool *pool;
    (void)state;

    atomic_store(&afters, 0);
    atomic_store(&stopped, 0);
    pool = take_all_threads(stop_an_after, NULL);
    rv_pool_cancel(pool, 0, NULL);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    rv_pool_destroy(pool);
    assert_int_equal(afters + stopped, THREADS);
}

/* For example, it unblocks a thread that reads from a pipe. */
struct gate {
    int ends[2];
};

static void open_gate(void *arg)
{
    struct gate *gate = arg;

    (void)!write(gate->ends[1], "go", 1);
}

static int read_until_cancelled(struct rv_context *ctx, void *arg)
{
    struct gate gate;
    struct rv_after *after;
    char byte;
    (void)arg;

    if (pipe(gate.ends) < 0 || rv_after_create(ctx, open_gate, &gate, &after) < 0)
        return -EIO;
    enter();
    (void)!read(gate.ends[0], &byte, 1);
    rv_after_destroy(after);
    close(gate.ends[0]);
    close(gate.ends[1]);
    return 0;
}

static void test_an_after_unblocks_what_waits(void **state)
{
    struct rv_pool *pool;
    (void)state;

    pool = take_all_threads(read_until_cancelled, NULL);
    rv_pool_cancel(pool, 0, NULL);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    rv_pool_destroy(pool);
}

static int brief_run(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

struct ending {
    _Atomic int count;
    int code;
};

static void note_end(int code, const char *text, void *arg)
{
    struct ending *ending = arg;
    (void)text;

    ending->code = code;
    atomic_fetch_add(&ending->count, 1);
}

static int never_runs(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return -EIO;
}

static void test_a_periodic_function_is_stopped(void **state)
{
    struct rv_pool *pool;
    (void)state;

    pool = take_all_threads(until_cancelled, NULL);
    for (int due = 0; due < 2; due++) {
        struct ending ending = {0};
        struct rv_periodic_spec spec = {.size = sizeof(spec),
                                        .interval = RV_HOUR,
                                        .delay = due ? 0 : RV_HOUR,
                                        .ended = note_end};
        struct rv_periodic *periodic;

        assert_int_equal(rv_periodic_create(bg, &spec, never_runs, &ending, &periodic), 0);
        assert_int_equal(rv_periodic_destroy(periodic), -ECANCELED);
        assert_int_equal(ending.count, 1);
        assert_int_equal(ending.code, -ECANCELED);
    }
    rv_pool_cancel(pool, 0, NULL);
    rv_pool_destroy(pool);
}

static void test_the_end_of_a_periodic_function_is_told(void **state)
{
    struct ending ending = {0};
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = RV_HOUR, .delay = RV_HOUR, .ended = note_end};
    struct rv_periodic *periodic;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_pool *pool;
    (void)state;

    pool = take_all_threads(until_cancelled, NULL);
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    assert_int_equal(rv_periodic_create(ctx, &spec, never_runs, &ending, &periodic), 0);
    rv_context_cancel(cancel, -EIO, NULL);
    wait_value(&ending.count, 1);
    assert_int_equal(ending.code, -EIO);
    assert_int_equal(rv_periodic_destroy(periodic), -EIO);
    rv_context_unref(ctx);
    rv_pool_cancel(pool, 0, NULL);
    rv_pool_destroy(pool);
}

/* Groups ------------------------------------------------------------------ */

static int meet_recv(struct rv_context *ctx, void *arg)
{
    int element;

    enter();
    return rv_channel_recv(ctx, arg, &element);
}

static int meet_send(struct rv_context *ctx, void *arg)
{
    int element = 1;

    return rv_channel_send(ctx, arg, &element);
}

struct join {
    struct rv_group *group;
};

static int join(void *arg)
{
    struct join *group = arg;
    int r = rv_group_wait(group->group);

    rv_group_destroy(group->group);
    return r;
}

/* A start that was accepted runs as soon as any thread is free, of the group or not. */
static void test_a_start_waits_for_any_thread(void **state)
{
    struct rv_channel *channel;
    struct rv_group *busy, *group;
    struct caller caller;
    struct join arg;
    int r;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(int), 0, &channel), 0);
    assert_int_equal(rv_group_create(bg, &busy), 0);
    assert_int_equal(rv_group_create(bg, &group), 0);
    for (int i = 0; i < THREADS - 1; i++)
        assert_int_equal(rv_group_go(busy, until_released, NULL), 0);
    /* The others may have a thread more for a moment than they need. */
    do
        r = rv_group_go(group, meet_recv, channel);
    while (r == -EAGAIN);
    assert_int_equal(r, 0);
    wait_value(&running, THREADS);
    r = rv_group_go(group, meet_send, channel);
    atomic_store(&release_all, 1);
    if (r == -EAGAIN)
        while ((r = rv_group_go(group, meet_send, channel)) == -EAGAIN)
            ;
    assert_int_equal(r, 0);
    arg.group = group;
    caller_start(&caller, join, &arg);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(rv_group_wait(busy), 0);
    rv_group_destroy(busy);
    rv_channel_unref(channel);
}

static void test_a_start_without_a_thread_is_refused(void **state)
{
    struct rv_channel *channel;
    struct rv_group *group;
    (void)state;

    limit_threads(1);
    assert_int_equal(rv_channel_create(sizeof(int), 0, &channel), 0);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, meet_recv, channel), 0);
    assert_int_equal(rv_group_go(group, meet_send, channel), -EAGAIN);
    assert_int_equal(rv_group_try_go(group, meet_send, channel), -EAGAIN);
    rv_channel_close(channel);
    assert_int_equal(rv_group_wait(group), -EPIPE);
    rv_group_destroy(group);
    rv_channel_unref(channel);
}

/* Functions that need nothing of each other get the threads that there are, one after the other. */
static void test_a_start_waits_for_its_own_group(void **state)
{
    struct rv_group *group;
    (void)state;

    for (int round = 0; round < rounds_of(50); round++) {
        reset();
        assert_int_equal(rv_group_create(bg, &group), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(rv_group_go(group, brief, NULL), 0);
        assert_int_equal(rv_group_wait(group), 0);
        rv_group_destroy(group);
        assert_int_equal(total, 100);
        assert_in_range(peak, 1, THREADS);
    }
}

/* Once -------------------------------------------------------------------- */

static struct rv_once once;
static _Atomic int inside;

static int run_until_released(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_store(&inside, 1);
    while (!atomic_load(&release_all))
        sched_yield();
    return 0;
}

static int call_once(void *arg)
{
    return rv_once_do(arg, &once, run_until_released, NULL);
}

static void test_a_once_hears_its_callers_cancel(void **state)
{
    struct rv_pool *pool;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct caller caller;
    (void)state;

    atomic_store(&inside, 0);
    pool = take_all_threads(until_cancelled, NULL);
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    caller_start(&caller, call_once, ctx);
    wait_value(&inside, 1);
    rv_context_cancel(cancel, -EIO, NULL);
    assert_int_equal(caller_join(&caller), -EIO);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_once_do(bg, &once, run_until_released, NULL), 0);
    rv_once_destroy(&once);
    rv_context_unref(ctx);
    rv_pool_cancel(pool, 0, NULL);
    rv_pool_destroy(pool);
}

static int run_once_inside(struct rv_context *ctx, void *arg)
{
    (void)arg;
    enter();
    while (!atomic_load(&release_all))
        sched_yield();
    return rv_once_do(ctx, &once, brief_run, &afters);
}

static void test_a_once_that_all_threads_wait_for(void **state)
{
    struct rv_pool *pool;
    (void)state;

    atomic_store(&afters, 0);
    pool = take_all_threads(run_once_inside, NULL);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    rv_pool_destroy(pool);
    assert_int_equal(afters, 1);
    rv_once_destroy(&once);
}

/* Queued work ------------------------------------------------------------- */

static void test_queued_work_is_served_by_whoever_is_free(void **state)
{
    _Atomic int ran = 0;
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR};
    struct rv_periodic *periodic;
    struct rv_pool *pool;
    (void)state;

    pool = take_all_threads(until_cancelled, NULL);
    assert_int_equal(rv_periodic_create(bg, &spec, brief_run, &ran, &periodic), 0);
    rv_pool_cancel(pool, 0, NULL);
    rv_pool_destroy(pool);
    wait_value(&ran, 1);
    rv_periodic_destroy(periodic);
}

/* Limits ------------------------------------------------------------------ */

static void test_more_workers_than_can_be_counted(void **state)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = UINT32_MAX, .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    assert_int_equal(rv_pool_create(bg, &options, &pool), -EAGAIN);
    options.workers = UINT32_MAX - THREADS + 2;
    assert_int_equal(rv_pool_create(bg, &options, &pool), -EAGAIN);
}

static _Atomic int trimming;

static int keep_busy(void *arg)
{
    (void)arg;
    while (atomic_load(&trimming)) {
        struct rv_group *group;

        if (rv_group_create(bg, &group) == 0) {
            (void)!rv_group_go(group, brief, NULL);
            (void)!rv_group_wait(group);
            rv_group_destroy(group);
        }
    }
    return 0;
}

static void test_a_trim_beside_use_ends(void **state)
{
    struct caller callers[3];
    (void)state;

    atomic_store(&trimming, 1);
    for (int i = 0; i < 3; i++)
        caller_start(&callers[i], keep_busy, NULL);
    for (int round = 0; round < rounds_of(200); round++)
        rv_host_trim();
    atomic_store(&trimming, 0);
    for (int i = 0; i < 3; i++)
        caller_join(&callers[i]);
}

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

#define WITH_LIMIT(test) cmocka_unit_test_setup_teardown(test, set_limit, lift_limit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LIMIT(test_an_after_is_stopped),
        WITH_LIMIT(test_an_after_unblocks_what_waits),
        WITH_LIMIT(test_a_periodic_function_is_stopped),
        WITH_LIMIT(test_the_end_of_a_periodic_function_is_told),
        WITH_LIMIT(test_a_start_waits_for_any_thread),
        WITH_LIMIT(test_a_start_without_a_thread_is_refused),
        WITH_LIMIT(test_a_start_waits_for_its_own_group),
        WITH_LIMIT(test_a_once_hears_its_callers_cancel),
        WITH_LIMIT(test_a_once_that_all_threads_wait_for),
        WITH_LIMIT(test_queued_work_is_served_by_whoever_is_free),
        WITH_LIMIT(test_more_workers_than_can_be_counted),
        WITH_LIMIT(test_a_trim_beside_use_ends),
    };

    return cmocka_run_group_tests_name("exhausted", tests, setup, NULL);
}
