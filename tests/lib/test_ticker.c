/* SPDX-License-Identifier: MIT */
/* Tickers: what a tick is, who gets it, and the end of them. */
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include "tests/support/test.h"

static struct rv_context *bg;

struct wait_call {
    struct rv_context *ctx;
    struct rv_ticker *ticker;
    rv_time time;
    struct rv_cancel *cancel;
};

static int call_wait(void *arg)
{
    struct wait_call *call = arg;

    return rv_ticker_wait(call->ctx, call->ticker, &call->time);
}

static int call_wait_all(void *arg)
{
    struct wait_call *call = arg;
    int count = 0;

    while (rv_ticker_wait(call->ctx, call->ticker, NULL) == 0)
        count++;
    return count;
}

static struct rv_ticker *make(rv_duration interval)
{
    struct rv_ticker *ticker;

    assert_int_equal(rv_ticker_create(interval, &ticker), 0);
    return ticker;
}

static void test_intervals_that_cannot_be(void **state)
{
    static const rv_duration bad[] = {0, -1, -RV_SECOND, INT64_MIN};
    struct rv_ticker *ticker = NULL;
    (void)state;

    for (int i = 0; i < 4; i++)
        assert_int_equal(rv_ticker_create(bad[i], &ticker), -EINVAL);
    assert_null(ticker);
    ticker = make(RV_HOUR);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rv_ticker_reset(ticker, bad[i]), -EINVAL);
    rv_ticker_destroy(ticker);
    rv_ticker_destroy(NULL);
}

/* The first tick is one interval away, and none comes before its time. */
static void test_no_tick_is_early(void **state)
{
    rv_time before = rv_now(), time;
    struct rv_ticker *ticker = make(RV_MILLISECOND);
    (void)state;

    for (int i = 1; i <= 10; i++) {
        assert_int_equal(rv_ticker_wait(bg, ticker, &time), 0);
        assert_true(time >= before + i * RV_MILLISECOND);
        assert_true(rv_now() >= time);
    }
    /* After a reset the first tick is one new interval away. */
    before = rv_now();
    assert_int_equal(rv_ticker_reset(ticker, 2 * RV_MILLISECOND), 0);
    assert_int_equal(rv_ticker_wait(bg, ticker, &time), 0);
    assert_true(time >= before + 2 * RV_MILLISECOND);
    rv_ticker_destroy(ticker);
}

static void test_missed_ticks_are_one(void **state)
{
    struct rv_ticker *ticker = make(100 * RV_MICROSECOND);
    rv_time first, second;
    (void)state;

    assert_int_equal(rv_sleep(bg, RV_MILLISECOND), 0);
    assert_int_equal(rv_ticker_wait(bg, ticker, &first), 0);
    assert_int_equal(rv_ticker_wait(bg, ticker, &second), 0);
    assert_true(second - first >= 100 * RV_MICROSECOND);
    rv_ticker_destroy(ticker);
}

static void test_an_endless_interval(void **state)
{
    struct wait_call call = {.ticker = make(RV_FOREVER)};
    struct caller caller;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &call.ctx, &call.cancel), 0);
    caller_start(&caller, call_wait, &call);
    caller_wait_blocked(&caller);
    rv_context_cancel(call.cancel, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    rv_ticker_destroy(call.ticker);
    rv_context_unref(call.ctx);
}

static void test_stop_ends_all_and_for_good(void **state)
{
    struct rv_ticker *ticker = make(RV_HOUR);
    struct wait_call calls[4];
    struct caller callers[4];
    (void)state;

    for (int i = 0; i < 4; i++) {
        calls[i] = (struct wait_call){bg, ticker, 0};
        caller_start(&callers[i], call_wait, &calls[i]);
        caller_wait_blocked(&callers[i]);
    }
    rv_ticker_stop(ticker);
    for (int i = 0; i < 4; i++)
        assert_int_equal(caller_join(&callers[i]), -EPIPE);
    assert_int_equal(rv_ticker_wait(bg, ticker, NULL), -EPIPE);
    assert_int_equal(rv_ticker_reset(ticker, RV_MICROSECOND), 0);
    assert_int_equal(rv_ticker_wait(bg, ticker, NULL), -EPIPE);
    rv_ticker_stop(ticker);
    rv_ticker_destroy(ticker);
}

/* Made, used and torn down, over and over, with a stop that races the tick. */
static void test_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct wait_call call = {bg, make((i % 5 + 1) * 20 * RV_MICROSECOND), 0};
        struct caller caller;
        int r;

        caller_start(&caller, call_wait, &call);
        if (i % 2)
            rv_ticker_stop(call.ticker);
        r = caller_join(&caller);
        assert_true(r == 0 || (i % 2 && r == -EPIPE));
        rv_ticker_destroy(call.ticker);
    }
}

/* Several wait: each tick goes to one of them. */
static void test_a_tick_goes_to_one(void **state)
{
    rv_time start = rv_now();
    struct rv_ticker *ticker = make(RV_MILLISECOND);
    struct wait_call call = {bg, ticker, 0};
    struct caller callers[3];
    int count = 0;
    (void)state;

    for (int i = 0; i < 3; i++)
        caller_start(&callers[i], call_wait_all, &call);
    assert_int_equal(rv_sleep(bg, 10 * RV_MILLISECOND), 0);
    rv_ticker_stop(ticker);
    for (int i = 0; i < 3; i++)
        count += caller_join(&callers[i]);
    assert_true(count <= (rv_now() - start) / RV_MILLISECOND);
    rv_ticker_destroy(ticker);
}

static int never(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    ++*(int *)arg;
    return 0;
}

struct three {
    struct rv_cancel *cancel;
    int count;
};

static int cancel_at_three(struct rv_context *ctx, void *arg)
{
    struct three *three = arg;

    (void)ctx;
    if (++three->count == 3)
        rv_context_cancel(three->cancel, -ESHUTDOWN, "three");
    return 0;
}

static void test_periodic_run_ends_by_its_context(void **state)
{
    struct rv_context *ctx;
    struct three three = {0};
    int count = 0;
    (void)state;

    assert_int_equal(rv_periodic_run(bg, 0, never, &count), -EINVAL);
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &three.cancel), 0);
    assert_int_equal(rv_periodic_run(ctx, 50 * RV_MICROSECOND, cancel_at_three, &three),
                     -ESHUTDOWN);
    assert_int_equal(three.count, 3);
    /* On a context that is done it does not even begin. */
    assert_int_equal(rv_periodic_run(ctx, RV_HOUR, never, &count), -ESHUTDOWN);
    assert_int_equal(count, 0);
    rv_context_unref(ctx);
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
        cmocka_unit_test(test_intervals_that_cannot_be),
        cmocka_unit_test(test_no_tick_is_early),
        cmocka_unit_test(test_missed_ticks_are_one),
        cmocka_unit_test(test_an_endless_interval),
        cmocka_unit_test(test_stop_ends_all_and_for_good),
        cmocka_unit_test(test_teardown),
        cmocka_unit_test(test_a_tick_goes_to_one),
        cmocka_unit_test(test_periodic_run_ends_by_its_context),
    };

    return cmocka_run_group_tests_name("ticker", tests, setup, NULL);
}
