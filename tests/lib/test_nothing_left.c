/* SPDX-License-Identifier: MIT */
/*
 * No memory, no thread and no descriptor is to be had any more, and all threads that there may be
 * are in use: everything that was begun before ends all the same, and says why.
 */
#include <poll.h>
#include <reeve/channel.h>
#include <reeve/fan.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/semaphore.h>
#include <reeve/ticker.h>
#include <signal.h>

#include "tests/lib/torture.h"
#include "tests/lib/workers.h"

#define THREADS 8

static struct rv_context *bg;

/* Everything that can be begun, below one context. */
struct world {
    struct rv_context *ctx, *timed, *signals;
    struct rv_cancel *cancel;
    struct rv_pool *pool;
    struct rv_group *group;
    struct rv_periodic *waiting, *running;
    struct rv_after *after;
    struct rv_channel *channel, *in;
    struct rv_semaphore *semaphore;
    struct rv_once once;
    struct caller callers[8];
    unsigned count;
    _Atomic int afters, ended, lost, finished;
    int fd;
};

static void note_end(const struct rv_outcome *end, void *arg)
{
    struct world *world = arg;

    atomic_fetch_add(end->kind == RV_OUTCOME_LOST ? &world->lost : &world->finished, 1);
}

static void note_periodic_end(int code, const char *text, void *arg)
{
    struct world *world = arg;
    (void)code;
    (void)text;

    atomic_fetch_add(&world->ended, 1);
}

static void note_after(void *arg)
{
    struct world *world = arg;

    atomic_fetch_add(&world->afters, 1);
}

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static int wait_sending(void *arg)
{
    struct world *world = arg;
    int r, element = 1;

    do
        r = rv_channel_send(world->ctx, world->channel, &element);
    while (r == 0);
    return r;
}

static int wait_selecting(void *arg)
{
    struct world *world = arg;
    int element;
    struct rv_clause clauses[] = {RV_RECV(world->in, &element), RV_READY(world->fd, POLLIN)};

    return rv_select(world->ctx, clauses, 2, RV_FOREVER);
}

static int wait_acquiring(void *arg)
{
    struct world *world = arg;

    return rv_semaphore_acquire(world->ctx, world->semaphore, 1);
}

static int wait_submitting(void *arg)
{
    struct world *world = arg;

    return rv_pool_submit(world->ctx, world->pool, nothing, world);
}

static int wait_sleeping(void *arg)
{
    struct world *world = arg;

    return rv_sleep(world->timed, RV_FOREVER);
}

static int take_none(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    (void)ctx;
    (void)item;
    (void)ret_result;
    (void)arg;
    return 1;
}

static int wait_fanning(void *arg)
{
    struct world *world = arg;

    return rv_fan_run(world->ctx, world->in, NULL, 2, take_none, NULL);
}

static int run_once_blocked(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_context_wait(ctx);
}

static int wait_for_once(void *arg)
{
    struct world *world = arg;

    return rv_once_do(world->ctx, &world->once, run_once_blocked, NULL);
}

static void call(struct world *world, int (*function)(void *arg))
{
    struct caller *caller = &world->callers[world->count++];

    caller_start(caller, function, world);
    caller_wait_blocked(caller);
}

static void begin(struct world *world)
{
    static const int list[] = {SIGUSR1, 0};
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = 2,
                                      .queue = 2,
                                      .ended = note_end,
                                      .arg = world,
                                      .timeout = RV_FOREVER};
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = RV_HOUR, .ended = note_periodic_end};

    assert_int_equal(rv_context_with_cancel(bg, &world->ctx, &world->cancel), 0);
    assert_int_equal(rv_context_with_timeout(world->ctx, RV_HOUR, &world->timed, NULL), 0);
    assert_int_equal(rv_context_with_signals(world->ctx, list, &world->signals, NULL), 0);
    assert_int_equal(rv_after_create(world->ctx, note_after, world, &world->after), 0);
    assert_int_equal(rv_pool_create(world->ctx, &options, &world->pool), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_pool_submit(bg, world->pool, until_cancelled, NULL), 0);
    assert_int_equal(rv_group_create(world->ctx, &world->group), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_group_go(world->group, until_cancelled, NULL), 0);
    assert_int_equal(rv_periodic_create(world->ctx, &spec, until_cancelled, world, &world->running),
                     0);
    wait_value(&running, 5);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_pool_submit(bg, world->pool, nothing, NULL), 0);
    spec.delay = RV_HOUR;
    assert_int_equal(rv_periodic_create(world->ctx, &spec, nothing, world, &world->waiting), 0);
    assert_int_equal(rv_channel_create(sizeof(int), 1, &world->channel), 0);
    assert_int_equal(rv_channel_create(sizeof(int), 1, &world->in), 0);
    assert_int_equal(rv_semaphore_create(1, &world->semaphore), 0);
    assert_int_equal(rv_semaphore_try_acquire(world->semaphore, 1), 0);
    world->fd = __real_eventfd(0, EFD_CLOEXEC);
    call(world, wait_fanning);
    call(world, wait_for_once);
    call(world, wait_sending);
    call(world, wait_selecting);
    call(world, wait_acquiring);
    call(world, wait_submitting);
    call(world, wait_sleeping);
}

static void finish(struct world *world)
{
    close(world->fd);
    rv_semaphore_destroy(world->semaphore);
    rv_channel_unref(world->in);
    rv_channel_unref(world->channel);
    rv_context_unref(world->signals);
    rv_context_unref(world->timed);
    rv_context_unref(world->ctx);
}

/* How it ends: by a cancel, by a signal that ends a part of it first, or by ending each thing. */
static void end(struct world *world, int how)
{
    if (how == 1) {
        kill(getpid(), SIGUSR1);
        rv_context_wait(world->signals);
    }
    if (how < 2)
        rv_context_cancel(world->cancel, -EIO, "%s is left", "nothing");
    else
        rv_pool_discard(world->pool, -EIO, "nothing is left");
    if (how == 2)
        rv_context_cancel(world->cancel, -EIO, "nothing is left");
    for (unsigned i = 0; i < world->count; i++)
        caller_join(&world->callers[i]);
    (void)!rv_pool_drain(bg, world->pool);
    rv_pool_destroy(world->pool);
    rv_periodic_destroy(world->running);
    rv_periodic_destroy(world->waiting);
    rv_once_destroy(&world->once);
    while (!atomic_load(&world->afters))
        sched_yield();
    rv_after_destroy(world->after);
}

static void test_all_ends(void **state)
{
    struct rv_runtime_options limit = {.size = sizeof(limit), .threads_max = THREADS};
    (void)state;

    rv_runtime_configure(&limit);
    for (int round = 0; round < rounds_of(30); round++) {
        struct world world = {.once = RV_ONCE_INIT};
        struct rv_runtime_stats stats;
        struct rv_cause cause;
        int r;

        reset();
        begin(&world);
        /* One of the round before may be on its way back. */
        do
            rv_runtime_stats(&stats);
        while (stats.threads - stats.idle > THREADS);
        assert_int_equal(stats.threads - stats.idle, THREADS);
        atomic_store(&calls_left, ALL_FAIL);
        end(&world, round % 3);
        r = rv_group_wait(world.group);
        rv_group_destroy(world.group);
        atomic_store(&calls_left, 0);
        assert_int_equal(r, -EIO);
        assert_int_equal(rv_context_cause(world.ctx, &cause), -EIO);
        assert_string_equal(cause.text, "nothing is left");
        for (unsigned i = 0; i < world.count; i++)
            if (round % 3 < 2 || world.callers[i].call != wait_submitting)
                assert_int_equal(world.callers[i].result, -EIO);
            else /* it hears of the discard, or of the cancel after it */
                assert_true(world.callers[i].result == -EPIPE || world.callers[i].result == -EIO);
        assert_int_equal(world.ended, 2);
        assert_int_equal(world.finished, 2);
        assert_int_equal(world.lost, 2);
        finish(&world);
    }
}

/* Where the kernel has no thread more, one that is about to be free is waited for. */
static void test_a_free_thread_is_had(void **state)
{
    struct rv_group *groups[300];
    (void)state;

    for (int i = 0; i < 300; i++)
        assert_int_equal(rv_group_create(bg, &groups[i]), 0);
    assert_int_equal(rv_group_go(groups[0], nothing, NULL), 0);
    assert_int_equal(rv_group_wait(groups[0]), 0);
    rv_group_destroy(groups[0]);
    atomic_store(&calls_left, ALL_FAIL);
    for (int i = 1; i < 300; i++) {
        int r = rv_group_go(groups[i], nothing, NULL);

        if (r < 0)
            atomic_store(&calls_left, 0);
        assert_int_equal(r, 0);
        assert_int_equal(rv_group_wait(groups[i]), 0);
        rv_group_destroy(groups[i]);
    }
    atomic_store(&calls_left, 0);
}

/* The text is kept by as many cancels as there are spare causes, and again when these are gone. */
static void test_why_is_not_lost(void **state)
{
    struct rv_context *contexts[33];
    struct rv_cancel *cancel_contexts[33];
    (void)state;

    for (int round = 0; round < 3; round++) {
        struct rv_cause cause;
        int kept = 0;

        for (int i = 0; i < 33; i++)
            assert_int_equal(rv_context_with_cancel(bg, &contexts[i], &cancel_contexts[i]), 0);
        atomic_store(&calls_left, ALL_FAIL);
        for (int i = 0; i < 33; i++)
            rv_context_cancel(cancel_contexts[i], -EIO, "number %d", i);
        atomic_store(&calls_left, 0);
        for (int i = 0; i < 33; i++) {
            char text[32];

            snprintf(text, sizeof(text), "number %d", i);
            assert_int_equal(rv_context_cause(contexts[i], &cause), -EIO);
            kept += strcmp(cause.text, text) == 0;
            rv_context_unref(contexts[i]);
        }
        assert_int_equal(kept, 32);
    }
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
        cmocka_unit_test(test_a_free_thread_is_had),
        cmocka_unit_test(test_all_ends),
        cmocka_unit_test(test_why_is_not_lost),
    };

    return cmocka_run_group_tests_name("nothing left", tests, setup, NULL);
}
