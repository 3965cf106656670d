/* SPDX-License-Identifier: MIT */
/*
 * Every call that can block, under a context with a timeout: 0, or less, is at once, and RV_FOREVER
 * is none, so that only a cancel ends the call. The timeouts of functions' own are in
 * test_durations.c.
 */
#include <poll.h>
#include <reeve/module.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

/* The things that the calls wait for, and that never come. */
static struct world {
    struct rv_channel *channel;
    struct rv_semaphore *semaphore;
    struct rv_ticker *ticker;
    struct rv_pool *pool;
    struct rv_once once;
    int pipe[2];
} world;

static int hold(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_context_wait(ctx);
}

static int send_it(struct rv_context *ctx)
{
    return rv_channel_send(ctx, world.channel, "x");
}

static int receive(struct rv_context *ctx)
{
    char element;

    return rv_channel_recv(ctx, world.channel, &element);
}

static int send_many(struct rv_context *ctx)
{
    return rv_channel_send_many(ctx, world.channel, "xy", 2, NULL);
}

static int receive_many(struct rv_context *ctx)
{
    char elements[2];
    size_t count;

    return rv_channel_recv_many(ctx, world.channel, elements, 2, &count);
}

static int select_one(struct rv_context *ctx)
{
    char element;
    struct rv_clause clauses[] = {RV_RECV(world.channel, &element),
                                  RV_READY(world.pipe[0], POLLIN)};

    return rv_select(ctx, clauses, 2, RV_FOREVER);
}

static int sleep_on(struct rv_context *ctx)
{
    return rv_sleep(ctx, RV_FOREVER);
}

static int poll_it(struct rv_context *ctx)
{
    return rv_poll(ctx, world.pipe[0], POLLIN, RV_FOREVER);
}

static int wait_done(struct rv_context *ctx)
{
    return rv_context_wait(ctx);
}

static int acquire(struct rv_context *ctx)
{
    return rv_semaphore_acquire(ctx, world.semaphore, 1);
}

static int wait_for_tick(struct rv_context *ctx)
{
    return rv_ticker_wait(ctx, world.ticker, NULL);
}

static int submit(struct rv_context *ctx)
{
    return rv_pool_submit(ctx, world.pool, hold, NULL);
}

static int drain(struct rv_context *ctx)
{
    return rv_pool_drain(ctx, world.pool);
}

static int do_once(struct rv_context *ctx)
{
    return rv_once_do(ctx, &world.once, hold, NULL);
}

static int fan_out(struct rv_context *ctx)
{
    return rv_fan_run(ctx, world.channel, NULL, 1, NULL, NULL);
}

static int run_command(struct rv_context *ctx)
{
    char name[] = "sleep", length[] = "1000", *argv[] = {name, length, NULL};

    return rv_command_run(ctx, argv, NULL, NULL);
}

static int run_periodically(struct rv_context *ctx)
{
    return rv_periodic_run(ctx, RV_HOUR, hold, NULL);
}

static int join_group(struct rv_context *ctx)
{
    struct rv_group *group;
    int r = rv_group_create(ctx, &group);

    if (r < 0)
        return r;
    r = rv_group_go(group, hold, NULL);
    if (r == 0)
        r = rv_group_wait(group);
    rv_group_destroy(group);
    return r;
}

/* A drain is for the end: nothing is submitted after it. */
static const struct {
    const char *name;
    int (*call)(struct rv_context *ctx);
} rows[] = {
    {"channel_send", send_it}, {"channel_recv", receive},
    {"send_many", send_many},  {"recv_many", receive_many},
    {"select", select_one},    {"sleep", sleep_on},
    {"poll", poll_it},         {"context_wait", wait_done},
    {"semaphore", acquire},    {"ticker", wait_for_tick},
    {"once", do_once},         {"fan", fan_out},
    {"command", run_command},  {"periodic", run_periodically},
    {"group", join_group},     {"pool_submit", submit},
    {"pool_drain", drain},
};

/* Debian 12's valgrind does not know the system call that commands need. */
static bool can_run(size_t row)
{
    int fd;

    if (rows[row].call != run_command)
        return true;
    fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

struct timed_call {
    int (*call)(struct rv_context *ctx);
    struct rv_context *ctx;
};

static int call_it(void *arg)
{
    const struct timed_call *call = arg;

    return call->call(call->ctx);
}

static void try_timeout(size_t row, rv_duration timeout, int expected)
{
    struct timed_call call = {rows[row].call, NULL};
    struct rv_cancel *cancel;
    struct caller caller;
    int r;

    assert_int_equal(rv_context_with_timeout(bg, timeout, &call.ctx, &cancel), 0);
    caller_start(&caller, call_it, &call);
    if (expected != -ETIMEDOUT) {
        caller_wait_blocked(&caller);
        rv_context_cancel(cancel, expected, NULL);
    }
    r = caller_join(&caller);
    if (r != expected)
        fail_msg("%s returns %d under a timeout of %lld", rows[row].name, r, (long long)timeout);
    rv_context_unref(call.ctx);
}

static void test_every_blocking_call(void **state)
{
    static const rv_duration at_once[] = {0, -1, INT64_MIN};
    (void)state;

    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        if (!can_run(row))
            continue;
        for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++)
            try_timeout(row, at_once[i], -ETIMEDOUT);
        try_timeout(row, RV_MILLISECOND, -ETIMEDOUT);
        try_timeout(row, RV_FOREVER, -ESHUTDOWN);
    }
}

static int setup(void **state)
{
    struct rv_pool_options options = RV_POOL_DEFAULTS;
    (void)state;

    bg = rv_context_background();
    options.workers = 1;
    options.queue = 1;
    /* The one worker holds the first, the queue the second. */
    return rv_channel_create(1, 0, &world.channel) + rv_semaphore_create(1, &world.semaphore) +
           rv_semaphore_try_acquire(world.semaphore, 1) +
           rv_ticker_create(RV_FOREVER, &world.ticker) + pipe(world.pipe) +
           rv_pool_create(bg, &options, &world.pool) + rv_pool_submit(bg, world.pool, hold, NULL) +
           rv_pool_submit(bg, world.pool, hold, NULL);
}

static int teardown(void **state)
{
    (void)state;
    rv_pool_destroy(world.pool);
    rv_once_destroy(&world.once);
    rv_ticker_destroy(world.ticker);
    rv_semaphore_release(world.semaphore, 1);
    rv_semaphore_destroy(world.semaphore);
    rv_channel_unref(world.channel);
    close(world.pipe[0]);
    close(world.pipe[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_blocking_call),
    };

    return cmocka_run_group_tests_name("timeouts", tests, setup, teardown);
}
