/* SPDX-License-Identifier: MIT */
/*
 * Every function that takes a duration or a time, with the values at the ends: none overflows, what
 * has passed is at once, and what lies beyond any time is never, RV_FOREVER above all.
 */
#include <poll.h>
#include <reeve/channel.h>
#include <reeve/pool.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

/* The outcome of a call with a duration. REFUSED: -EINVAL. */
enum outcome { AT_ONCE, SOON, NEVER, REFUSED };

/* A duration, with what comes of it as a timeout, as a time, and as an interval. */
static const struct value {
    rv_duration value;
    enum outcome timeout, time, interval;
} values[] = {
    {0, AT_ONCE, AT_ONCE, REFUSED},
    {1, SOON, AT_ONCE, SOON},
    {RV_MICROSECOND, SOON, AT_ONCE, SOON},
    {-1, AT_ONCE, AT_ONCE, REFUSED},
    {-RV_HOUR, AT_ONCE, AT_ONCE, REFUSED},
    {INT64_MIN, AT_ONCE, AT_ONCE, REFUSED},
    {INT64_MIN + 1, AT_ONCE, AT_ONCE, REFUSED},
    {RV_FOREVER - 1, NEVER, NEVER, NEVER},
    {RV_FOREVER / 2, NEVER, NEVER, NEVER},
    {RV_FOREVER, NEVER, NEVER, NEVER},
};

/* A call under test: returns what the function does, or REACHED when the time came. */
#define REACHED 1

struct trial {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    rv_duration value;
    int (*call)(struct rv_context *ctx, rv_duration value);
};

static int make_call(void *arg)
{
    struct trial *trial = arg;

    return trial->call(trial->ctx, trial->value);
}

static void try_out(int (*call)(struct rv_context *ctx, rv_duration value), rv_duration value,
                    enum outcome expected)
{
    struct trial trial = {.value = value, .call = call};
    struct caller caller;

    assert_int_equal(rv_context_with_cancel(bg, &trial.ctx, &trial.cancel), 0);
    caller_start(&caller, make_call, &trial);
    if (expected == NEVER) {
        caller_wait_blocked(&caller);
        rv_context_cancel(trial.cancel, -EIO, NULL);
        assert_int_equal(caller_join(&caller), -EIO);
    } else {
        assert_int_equal(caller_join(&caller), expected == REFUSED ? -EINVAL : REACHED);
    }
    rv_context_unref(trial.ctx);
}

/* Timeouts ---------------------------------------------------------------- */

static int sleep_for(struct rv_context *ctx, rv_duration value)
{
    int r = rv_sleep(ctx, value);

    return r == 0 ? REACHED : r;
}

static int poll_for(struct rv_context *ctx, rv_duration value)
{
    int ends[2], r;

    if (pipe(ends) < 0)
        return -errno;
    r = rv_poll(ctx, ends[0], POLLIN, value);
    close(ends[0]);
    close(ends[1]);
    return r == 0 ? REACHED : r;
}

static int select_for(struct rv_context *ctx, rv_duration value)
{
    int r = rv_select(ctx, NULL, 0, value);

    return r == -EAGAIN ? REACHED : r;
}

static int select_polling_for(struct rv_context *ctx, rv_duration value)
{
    struct rv_clause clause = RV_READY(-1, POLLIN);
    int r = rv_select(ctx, &clause, 1, value);

    return r == -EAGAIN ? REACHED : r;
}

static int wait_done(struct rv_context *ctx)
{
    int r = rv_context_wait(ctx);

    rv_context_unref(ctx);
    return r == -ETIMEDOUT ? REACHED : r;
}

static int time_out(struct rv_context *ctx, rv_duration value)
{
    struct rv_context *timed;
    int r = rv_context_with_timeout(ctx, value, &timed, NULL);

    return r < 0 ? r : wait_done(timed);
}

/* Times ------------------------------------------------------------------- */

static int pass_deadline(struct rv_context *ctx, rv_duration value)
{
    struct rv_context *timed;
    int r = rv_context_with_deadline(ctx, value, &timed, NULL);

    return r < 0 ? r : wait_done(timed);
}

struct planned {
    rv_duration value;
    _Atomic int runs;
    struct rv_context *ran;
    struct rv_cancel *cancel_ran;
};

static int count_run(struct rv_context *ctx, void *arg)
{
    struct planned *planned = arg;
    (void)ctx;

    if (atomic_fetch_add(&planned->runs, 1) == 0)
        rv_context_cancel(planned->cancel_ran, 0, NULL);
    return 0;
}

/* The first run ends a context; that or the cancel of ctx is waited for. */
static int await_run(struct rv_context *ctx, struct planned *planned,
                     const struct rv_periodic_spec *spec)
{
    struct rv_periodic *periodic;
    int r = rv_context_with_cancel(ctx, &planned->ran, &planned->cancel_ran);

    if (r < 0)
        return r;
    r = rv_periodic_create(bg, spec, count_run, planned, &periodic);
    if (r == 0) {
        r = rv_context_wait(planned->ran);
        if (r == -ECANCELED)
            r = REACHED;
        rv_periodic_destroy(periodic);
    }
    rv_context_unref(planned->ran);
    return r;
}

static rv_time next_planned(void *arg)
{
    struct planned *planned = arg;

    return atomic_load(&planned->runs) == 0 ? planned->value : RV_FOREVER;
}

static int run_planned(struct rv_context *ctx, rv_duration value)
{
    struct planned planned = {.value = value};
    struct rv_periodic_spec spec = {.size = sizeof(spec), .next = next_planned};

    return await_run(ctx, &planned, &spec);
}

/* Intervals --------------------------------------------------------------- */

static int tick(struct rv_context *ctx, rv_duration value)
{
    struct rv_ticker *ticker;
    int r = rv_ticker_create(value, &ticker);

    if (r < 0)
        return r;
    r = rv_ticker_wait(ctx, ticker, NULL);
    rv_ticker_destroy(ticker);
    return r == 0 ? REACHED : r;
}

static int tick_after_reset(struct rv_context *ctx, rv_duration value)
{
    struct rv_ticker *ticker;
    int r = rv_ticker_create(RV_HOUR, &ticker);

    if (r < 0)
        return r;
    r = rv_ticker_reset(ticker, value);
    if (r == 0)
        r = rv_ticker_wait(ctx, ticker, NULL);
    rv_ticker_destroy(ticker);
    return r == 0 ? REACHED : r;
}

static int end_second_run(struct rv_context *ctx, void *arg)
{
    _Atomic int *runs = arg;
    (void)ctx;

    return atomic_fetch_add(runs, 1) == 1 ? -EDOM : 0;
}

static int run_here(struct rv_context *ctx, rv_duration value)
{
    _Atomic int runs = 0;
    int r = rv_periodic_run(ctx, value, end_second_run, &runs);

    return r == -EDOM ? REACHED : r;
}

static int count_second_run(struct rv_context *ctx, void *arg)
{
    struct planned *planned = arg;
    (void)ctx;

    if (atomic_fetch_add(&planned->runs, 1) == 1)
        rv_context_cancel(planned->cancel_ran, 0, NULL);
    return 0;
}

static int run_behind(struct rv_context *ctx, rv_duration value)
{
    struct planned planned = {0};
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = value};
    struct rv_periodic *periodic;
    int r = rv_context_with_cancel(ctx, &planned.ran, &planned.cancel_ran);

    if (r < 0)
        return r;
    r = rv_periodic_create(bg, &spec, count_second_run, &planned, &periodic);
    if (r == 0) {
        while (planned.runs == 0)
            sched_yield();
        r = rv_context_wait(planned.ran);
        if (r == -ECANCELED)
            r = REACHED;
        rv_periodic_destroy(periodic);
        /* At once for the first time, and then never. */
        if (r == -EIO && planned.runs != 1)
            r = -ERANGE;
    }
    rv_context_unref(planned.ran);
    return r;
}

static int run_delayed(struct rv_context *ctx, rv_duration value)
{
    struct planned planned = {0};
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR, .delay = value};

    return await_run(ctx, &planned, &spec);
}

static void test_timeouts(void **state)
{
    static int (*const calls[])(struct rv_context *ctx, rv_duration value) = {
        sleep_for, poll_for, select_for, select_polling_for, time_out};
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++)
            try_out(calls[j], values[i].value, values[i].timeout);
}

static void test_times(void **state)
{
    static int (*const calls[])(struct rv_context *ctx, rv_duration value) = {pass_deadline,
                                                                              run_planned};
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++)
            try_out(calls[j], values[i].value, values[i].time);
}

static void test_intervals(void **state)
{
    static int (*const calls[])(struct rv_context *ctx,
                                rv_duration value) = {tick, tick_after_reset, run_here, run_behind};
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++)
            try_out(calls[j], values[i].value, values[i].interval);
}

/* A delay is a timeout that may not be negative. */
static void test_delays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        try_out(run_delayed, values[i].value, values[i].value < 0 ? REFUSED : values[i].timeout);
}

/* Pools ------------------------------------------------------------------- */

struct attempts {
    _Atomic int made;
    _Atomic int ended;
};

static int fail_twice(struct rv_context *ctx, void *arg)
{
    struct attempts *attempts = arg;
    (void)ctx;

    return atomic_fetch_add(&attempts->made, 1) < 2 ? -EIO : 0;
}

static void note_ended(const struct rv_outcome *end, void *arg)
{
    struct attempts *attempts = arg;

    atomic_store(&attempts->ended, end->kind == RV_OUTCOME_FINISHED ? 1 : 2);
}

/* The pauses of a pool: 0 or less stands for the default. */
static void test_backoff(void **state)
{
    static const rv_duration longs[] = {RV_FOREVER, RV_FOREVER - 1, RV_FOREVER / 2, RV_FOREVER / 3};
    (void)state;

    for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++)
        for (int limited = 0; limited < 2; limited++) {
            struct attempts attempts = {0};
            struct rv_pool_options options = {.size = sizeof(options),
                                              .workers = 1,
                                              .retries = 5,
                                              .backoff = longs[i],
                                              .backoff_max = limited ? 1 : 0,
                                              .ended = note_ended,
                                              .arg = &attempts,
                                              .timeout = RV_FOREVER};
            struct rv_pool_stats stats;
            struct rv_pool *pool;

            assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
            assert_int_equal(rv_pool_submit(bg, pool, fail_twice, &attempts), 0);
            if (limited) {
                wait_value(&attempts.ended, 1);
            } else {
                do
                    rv_pool_stats(pool, &stats);
                while (stats.retried == 0);
                /* Were it due, the worker would have it by the time that it has this one. */
                assert_int_equal(rv_pool_submit(bg, pool, brief, NULL), 0);
                wait_value(&attempts.ended, 1);
                assert_int_equal(attempts.made, 1);
            }
            rv_pool_destroy(pool);
        }
}

/* NEVER: there is no deadline. AT_ONCE: it has passed. */
static int look_at_deadline(struct rv_context *ctx, void *arg)
{
    rv_time deadline;
    enum outcome seen = SOON;

    if (!rv_context_deadline(ctx, &deadline))
        seen = NEVER;
    else if (rv_context_err(ctx) == -ETIMEDOUT)
        seen = AT_ONCE;
    atomic_store((_Atomic int *)arg, (int)seen);
    return 0;
}

static void test_a_jobs_time(void **state)
{
    static const struct {
        rv_duration timeout;
        enum outcome expected;
    } cases[] = {{0, AT_ONCE},    {-1, AT_ONCE},           {INT64_MIN, AT_ONCE},
                 {RV_HOUR, SOON}, {RV_FOREVER - 1, NEVER}, {RV_FOREVER, NEVER}};
    (void)state;

    /* The last is that of pools without options. */
    for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
        bool with = i < sizeof(cases) / sizeof(cases[0]);
        struct rv_pool_options options = RV_POOL_DEFAULTS;
        _Atomic int seen = -1;
        struct rv_pool *pool;

        assert_true(options.timeout == RV_FOREVER);
        if (with)
            options.timeout = cases[i].timeout;
        assert_int_equal(rv_pool_create(bg, with ? &options : NULL, &pool), 0);
        assert_int_equal(rv_pool_submit(bg, pool, look_at_deadline, &seen), 0);
        assert_int_equal(rv_pool_drain(bg, pool), 0);
        assert_int_equal(seen, with ? cases[i].expected : NEVER);
        rv_pool_destroy(pool);
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
        cmocka_unit_test(test_timeouts),  cmocka_unit_test(test_times),
        cmocka_unit_test(test_intervals), cmocka_unit_test(test_delays),
        cmocka_unit_test(test_backoff),   cmocka_unit_test(test_a_jobs_time),
    };

    return cmocka_run_group_tests_name("durations", tests, setup, NULL);
}
