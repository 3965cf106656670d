/* SPDX-License-Identifier: MIT */
/* Semaphores, once, tickers, errors and the log. */
#include <reeve/host.h>
#include <reeve/log.h>
#include <reeve/once.h>
#include <reeve/runtime.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include "tests/support/test.h"

static struct rv_context *bg;

/* Semaphores -------------------------------------------------------------- */

struct acquire {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_semaphore *semaphore;
    uint64_t weight;
};

static int call_acquire(void *arg)
{
    struct acquire *a = arg;

    return rv_semaphore_acquire(a->ctx, a->semaphore, a->weight);
}

static void test_semaphore(void **state)
{
    struct acquire large = {.weight = 8}, small = {.ctx = bg, .weight = 2};
    struct rv_semaphore *semaphore;
    struct caller first, second;
    (void)state;

    assert_int_equal(rv_semaphore_create(10, &semaphore), 0);
    assert_int_equal(rv_context_with_cancel(bg, &large.ctx, &large.cancel), 0);
    large.semaphore = small.semaphore = semaphore;
    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 11), -EINVAL);
    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 5), 0);
    caller_start(&first, call_acquire, &large);
    caller_wait_blocked(&first);
    /* The small one could be had, but the large one came first. */
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 2), -EAGAIN);
    caller_start(&second, call_acquire, &small);
    caller_wait_blocked(&second);
    /* The large one gives up its place, and the small one has it at once. */
    rv_context_cancel(large.cancel, 0, NULL);
    assert_int_equal(caller_join(&first), -ECANCELED);
    assert_int_equal(caller_join(&second), 0);
    rv_semaphore_release(semaphore, 2);
    /* A large one is served once enough has come back. */
    large.ctx = rv_context_unref(large.ctx);
    large.ctx = bg;
    caller_start(&first, call_acquire, &large);
    caller_wait_blocked(&first);
    rv_semaphore_release(semaphore, 5);
    assert_int_equal(caller_join(&first), 0);
    rv_semaphore_release(semaphore, 8);
    rv_semaphore_destroy(semaphore);
}

/* Once -------------------------------------------------------------------- */

static _Atomic int once_runs, once_release;
static struct rv_once shared_once = RV_ONCE_INIT;

static int run_once(struct rv_context *ctx, void *arg)
{
    atomic_fetch_add(&once_runs, 1);
    while (!atomic_load(&once_release))
        sched_yield();
    if (rv_context_err(ctx) != 0)
        return rv_fail(-EPROTO, "cancelled");
    return *(int *)arg ? rv_fail(*(int *)arg, "dial") : 0;
}

struct once_call {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int err;
    char text[64];
};

static int call_do_once(void *arg)
{
    struct once_call *call = arg;
    int r = rv_once_do(call->ctx, &shared_once, run_once, &call->err);

    snprintf(call->text, sizeof(call->text), "%s", rv_error_text(r));
    return r;
}

static void test_once(void **state)
{
    struct once_call calls[8];
    struct caller callers[8];
    (void)state;

    for (int i = 0; i < 8; i++) {
        calls[i] = (struct once_call){.ctx = bg, .err = -ECONNREFUSED};
        if (i == 0)
            assert_int_equal(rv_context_with_cancel(bg, &calls[i].ctx, &calls[i].cancel), 0);
        caller_start(&callers[i], call_do_once, &calls[i]);
        if (i == 0)
            wait_value(&once_runs, 1);
    }
    /* The first caller gives up; the run goes on for the others. */
    rv_context_cancel(calls[0].cancel, 0, NULL);
    assert_int_equal(caller_join(&callers[0]), -ECANCELED);
    atomic_store(&once_release, 1);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(caller_join(&callers[i]), -ECONNREFUSED);
        assert_string_equal(calls[i].text, "dial: Connection refused");
    }
    assert_int_equal(once_runs, 1);
    rv_context_unref(calls[0].ctx);
    rv_once_destroy(&shared_once);
}

static struct rv_once again = RV_ONCE_INIT;

static int reenter(struct rv_context *ctx, void *arg)
{
    return rv_once_do(ctx, &again, reenter, arg);
}

static int load_value(struct rv_context *ctx, void *arg, void **ret_value)
{
    (void)ctx;
    atomic_fetch_add(&once_runs, 1);
    *ret_value = arg;
    return 0;
}

static void test_once_reentry_and_value(void **state)
{
    struct rv_once once = RV_ONCE_INIT;
    void *value = NULL;
    int x;
    (void)state;

    assert_int_equal(rv_once_do(bg, &again, reenter, NULL), -EDEADLK);
    rv_once_destroy(&again);
    atomic_store(&once_runs, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rv_once_value(bg, &once, load_value, &x, &value), 0);
        assert_ptr_equal(value, &x);
    }
    assert_int_equal(once_runs, 1);
    rv_once_destroy(&once);
}

/* Tickers ----------------------------------------------------------------- */

struct tick {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_ticker *ticker;
};

static int call_tick(void *arg)
{
    struct tick *tick = arg;

    return rv_ticker_wait(tick->ctx, tick->ticker, NULL);
}

static void test_ticker_keeps_its_grid(void **state)
{
    rv_time first, last = 0, tick;
    struct rv_ticker *ticker;
    (void)state;

    assert_int_equal(rv_ticker_create(0, &ticker), -EINVAL);
    assert_int_equal(rv_ticker_create(RV_MILLISECOND, &ticker), 0);
    assert_int_equal(rv_ticker_wait(bg, ticker, &first), 0);
    for (int i = 0; i < 20; i++) {
        if (i % 5 == 0)
            assert_int_equal(rv_sleep(bg, 3500 * RV_MICROSECOND), 0); /* a slow receiver */
        assert_int_equal(rv_ticker_wait(bg, ticker, &tick), 0);
        /* On the grid, later than the last one, and never in the future: no drift and no burst. */
        assert_int_equal((tick - first) % RV_MILLISECOND, 0);
        assert_true(tick > last && tick <= rv_now());
        last = tick;
    }
    rv_ticker_destroy(ticker);
}

static void test_ticker_cancel_stop_reset(void **state)
{
    struct tick tick;
    struct caller caller;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &tick.ctx, &tick.cancel), 0);
    assert_int_equal(rv_ticker_create(RV_HOUR, &tick.ticker), 0);
    caller_start(&caller, call_tick, &tick);
    caller_wait_blocked(&caller);
    /* A reset gives who waits the new grid. */
    assert_int_equal(rv_ticker_reset(tick.ticker, RV_MILLISECOND), 0);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(rv_ticker_reset(tick.ticker, RV_HOUR), 0);
    caller_start(&caller, call_tick, &tick);
    caller_wait_blocked(&caller);
    rv_context_cancel(tick.cancel, 0, NULL);
    assert_int_equal(caller_join(&caller), -ECANCELED);
    tick.ctx = rv_context_unref(tick.ctx);
    tick.ctx = bg;
    caller_start(&caller, call_tick, &tick);
    caller_wait_blocked(&caller);
    rv_ticker_stop(tick.ticker);
    assert_int_equal(caller_join(&caller), -EPIPE);
    rv_ticker_destroy(tick.ticker);
}

/* Errors and the log ------------------------------------------------------ */

static void test_errors(void **state)
{
    char longer[2000];
    (void)state;

    rv_error_clear();
    assert_string_equal(rv_error_text(-ENOENT), "");
    assert_int_equal(rv_wrap(-ENOENT, "open %s", "x"), -ENOENT);
    assert_string_equal(rv_error_text(-ENOENT), "open x: No such file or directory");
    assert_int_equal(rv_fail(-ECONNREFUSED, "fetch URL"), -ECONNREFUSED);
    assert_int_equal(rv_wrap(-ECONNREFUSED, "poll"), -ECONNREFUSED);
    assert_string_equal(rv_error_text(-ECONNREFUSED), "poll: fetch URL: Connection refused");
    /* An argument may be the present text. */
    rv_fail(-EIO, "again (%s)", rv_error_text(-ECONNREFUSED));
    assert_string_equal(rv_error_text(-EIO),
                        "again (poll: fetch URL: Connection refused): Input/output error");
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    rv_fail(-EIO, "%s", longer);
    assert_true(strlen(rv_error_text(-EIO)) < RV_ERROR_TEXT_SIZE);
    rv_wrap(-EIO, "%s", longer);
    assert_true(strlen(rv_error_text(-EIO)) < RV_ERROR_TEXT_SIZE);
}

static char logged[256];

static void log_sink(const struct rv_log_record *record, void *arg)
{
    (void)arg;
    snprintf(logged, sizeof(logged), "%d %s/%s#%d %s %s=%s", record->level, record->labels.module,
             record->labels.task, (int)record->labels.run, record->text,
             record->field_count ? record->fields[0].key : "",
             record->field_count ? record->fields[0].value : "");
}

static void test_log(void **state)
{
    struct rv_context *ctx;
    (void)state;

    assert_int_equal(rv_context_with_labels(bg, &(struct rv_labels){"web", "check", 4}, &ctx, NULL),
                     0);
    rv_host_set_log_sink(log_sink, NULL);
    rv_log_fields(ctx, RV_LOG_WARNING, &(struct rv_field){"url", "x"}, 1, "slow %d", 3);
    assert_string_equal(logged, "4 web/check#4 slow 3 url=x");
    rv_log(ctx, RV_LOG_DEBUG, "not shown");
    assert_string_equal(logged, "4 web/check#4 slow 3 url=x");
    rv_host_set_log_sink(NULL, NULL);
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
        cmocka_unit_test(test_semaphore),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_reentry_and_value),
        cmocka_unit_test(test_ticker_keeps_its_grid),
        cmocka_unit_test(test_ticker_cancel_stop_reset),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests_name("tools", tests, setup, NULL);
}
