/* SPDX-License-Identifier: MIT */
/* Groups, pools and fans: everything that runs functions on threads of the runtime. */
#include <reeve/fan.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/sleep.h>

#include "tests/support/test.h"

static struct rv_context *bg;
static _Atomic int running, peak, total, release_all;

static int enter(void)
{
    int now = atomic_fetch_add(&running, 1) + 1, seen = atomic_load(&peak);

    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now))
        ;
    atomic_fetch_add(&total, 1);
    return now;
}

static void reset(void)
{
    atomic_store(&running, 0);
    atomic_store(&peak, 0);
    atomic_store(&total, 0);
    atomic_store(&release_all, 0);
}

static int brief(struct rv_context *ctx, void *arg)
{
    (void)arg;
    enter();
    rv_sleep(ctx, 50 * RV_MICROSECOND);
    atomic_fetch_sub(&running, 1);
    return 0;
}

static int until_cancelled(struct rv_context *ctx, void *arg)
{
    (void)arg;
    enter();
    rv_context_wait(ctx);
    atomic_fetch_sub(&running, 1);
    return rv_context_err(ctx);
}

static int until_released(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    enter();
    while (!atomic_load(&release_all))
        sched_yield();
    atomic_fetch_sub(&running, 1);
    return 0;
}

static int fail_with(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return rv_fail(*(int *)arg, "item %d", 3);
}

static void test_limit_holds_at_its_peak(void **state)
{
    struct rv_group *group;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    rv_group_set_limit(group, 3);
    for (int i = 0; i < 500; i++)
        assert_int_equal(rv_group_go(group, brief, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    assert_int_equal(total, 500);
    assert_int_equal(peak, 3);
}

static void test_first_error_wins_and_cancels(void **state)
{
    struct rv_group *group;
    struct rv_context *ctx;
    struct rv_cause cause;
    int err = -EIO;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    ctx = rv_context_ref(rv_group_context(group));
    for (int i = 0; i < 5; i++)
        assert_int_equal(rv_group_go(group, until_cancelled, NULL), 0);
    wait_value(&total, 5);
    assert_int_equal(rv_group_go(group, fail_with, &err), 0);
    rv_context_wait(ctx);
    assert_int_equal(rv_context_cause(ctx, &cause), -EIO);
    assert_string_equal(cause.text, "item 3: Input/output error");
    /* Once it is cancelled nothing starts. */
    atomic_store(&total, 1000);
    assert_int_equal(rv_group_go(group, brief, NULL), -EIO);
    assert_int_equal(rv_group_try_go(group, brief, NULL), -EIO);
    assert_int_equal(rv_group_wait(group), -EIO);
    assert_string_equal(rv_error_text(), "item 3: Input/output error");
    assert_int_equal(total, 1000);
    rv_context_unref(ctx);
}

static int go_until_refused(void *arg)
{
    int r;

    while ((r = rv_group_go(arg, until_cancelled, NULL)) == 0)
        ;
    return r;
}

static void test_cancel_while_go_blocks(void **state)
{
    struct rv_context *ctx;
    struct rv_group *group;
    struct caller caller;
    (void)state;

    reset();
    rv_context_with_cancel(bg, &ctx);
    rv_group_create(ctx, &group);
    rv_group_set_limit(group, 2);
    caller_start(&caller, go_until_refused, group);
    caller_wait_blocked(&caller);
    assert_true(peak <= 2);
    assert_int_equal(rv_group_try_go(group, brief, NULL), -EAGAIN);
    rv_context_cancel(ctx, -ESHUTDOWN, "end");
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_int_equal(rv_group_wait(group), -ESHUTDOWN);
    rv_context_unref(ctx);
}

/* Pools ------------------------------------------------------------------------------------------
 */

struct ends {
    _Atomic int finished, failed, lost, attempts;
    _Atomic int code;
};

static void note_end(const struct rv_job_end *end, void *arg)
{
    struct ends *ends = arg;

    atomic_fetch_add(end->state == RV_JOB_FINISHED ? &ends->finished
                     : end->state == RV_JOB_FAILED ? &ends->failed
                                                   : &ends->lost,
                     1);
    atomic_fetch_add(&ends->attempts, (int)end->attempts);
    if (end->code)
        atomic_store(&ends->code, end->code);
}

static struct rv_pool *make_pool(struct rv_context *ctx, struct rv_pool_options options,
                                 struct ends *ends)
{
    struct rv_pool *pool;

    memset(ends, 0, sizeof(*ends));
    options.size = sizeof(options);
    options.ended = note_end;
    options.arg = ends;
    assert_int_equal(rv_pool_create(ctx, &options, &pool), 0);
    return pool;
}

static void test_pool_runs_and_drains(void **state)
{
    struct ends ends;
    struct rv_pool *pool = make_pool(bg, (struct rv_pool_options){.workers = 4, .queue = 8}, &ends);
    struct rv_pool_stats stats;
    (void)state;

    reset();
    for (int i = 0; i < 2000; i++)
        assert_int_equal(rv_pool_submit(bg, pool, brief, NULL), 0);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(total, 2000);
    assert_true(peak <= 4);
    assert_int_equal(ends.finished, 2000);
    rv_pool_stats(pool, &stats);
    assert_int_equal(stats.accepted, 2000);
    assert_int_equal(stats.accepted, stats.finished + stats.failed + stats.lost);
    assert_int_equal(rv_pool_submit(bg, pool, brief, NULL), -EPIPE);
    rv_pool_destroy(pool);
}

struct submission {
    struct rv_context *ctx;
    struct rv_pool *pool;
};

static int call_submit(void *arg)
{
    struct submission *s = arg;

    return rv_pool_submit(s->ctx, s->pool, brief, NULL);
}

static int call_drain(void *arg)
{
    struct submission *s = arg;

    return rv_pool_drain(s->ctx, s->pool);
}

static void test_cancelled_submit_runs_nothing(void **state)
{
    struct ends ends;
    struct rv_pool *pool = make_pool(bg, (struct rv_pool_options){.workers = 1, .queue = 1}, &ends);
    struct submission s = {.pool = pool};
    struct caller caller;
    (void)state;

    reset();
    rv_context_with_cancel(bg, &s.ctx);
    assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
    wait_value(&running, 1);
    assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
    assert_int_equal(rv_pool_try_submit(pool, brief, NULL), -EAGAIN);
    caller_start(&caller, call_submit, &s);
    caller_wait_blocked(&caller);
    rv_context_cancel(s.ctx, 0, NULL);
    assert_int_equal(caller_join(&caller), -ECANCELED);
    caller_start(&caller, call_drain, &s);
    assert_int_equal(caller_join(&caller), -ECANCELED);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(total, 2);
    assert_int_equal(ends.finished, 2);
    rv_context_unref(s.ctx);
    rv_pool_destroy(pool);
}

static void test_pool_cancel_reports_the_rest_lost(void **state)
{
    struct ends ends;
    struct rv_context *ctx;
    struct rv_pool *pool;
    struct submission s = {.ctx = bg};
    struct caller caller;
    (void)state;

    reset();
    rv_context_with_cancel(bg, &ctx);
    pool = make_pool(ctx, (struct rv_pool_options){.workers = 2, .queue = 10}, &ends);
    s.pool = pool;
    for (int i = 0; i < 12; i++)
        assert_int_equal(rv_pool_submit(bg, pool, until_cancelled, NULL), 0);
    wait_value(&running, 2);
    caller_start(&caller, call_submit, &s);
    caller_wait_blocked(&caller);
    rv_context_cancel(ctx, -ESHUTDOWN, "the end");
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    /* In flight: two, which saw the cancel. The other ten never started. */
    assert_int_equal(total, 2);
    assert_int_equal(ends.failed, 2);
    assert_int_equal(ends.lost, 10);
    assert_int_equal(ends.code, -ESHUTDOWN);
    assert_int_equal(rv_pool_submit(bg, pool, brief, NULL), -ESHUTDOWN);
    rv_pool_destroy(pool);
    rv_context_unref(ctx);
}

static int fail_twice(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return atomic_fetch_add((_Atomic int *)arg, 1) < 2 ? rv_fail(-EIO, "not yet") : 0;
}

static int always_fail(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return -EIO;
}

static void test_retries_and_deadlines(void **state)
{
    struct ends ends;
    struct rv_pool_options options = {.workers = 2,
                                      .queue = 4,
                                      .retries = 2,
                                      .backoff = RV_MICROSECOND,
                                      .backoff_max = RV_MILLISECOND};
    struct rv_pool *pool = make_pool(bg, options, &ends);
    _Atomic int tries = 0;
    (void)state;

    reset();
    assert_int_equal(rv_pool_submit(bg, pool, fail_twice, &tries), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(rv_pool_submit(bg, pool, always_fail, NULL), 0);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(tries, 3);
    assert_int_equal(ends.finished, 1);
    assert_int_equal(ends.failed, 20);
    assert_int_equal(ends.attempts, 63);
    rv_pool_destroy(pool);
    options = (struct rv_pool_options){.workers = 1, .timeout = RV_MILLISECOND};
    pool = make_pool(bg, options, &ends);
    assert_int_equal(rv_pool_submit(bg, pool, until_cancelled, NULL), 0);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(ends.failed, 1);
    assert_int_equal(ends.code, -ETIMEDOUT);
    rv_pool_destroy(pool);
}

static void test_destroy_with_retries_waiting(void **state)
{
    struct ends ends;
    struct rv_pool_options options = {
        .workers = 2, .queue = 64, .retries = 9, .backoff = RV_HOUR, .backoff_max = RV_HOUR};
    struct rv_pool *pool = make_pool(bg, options, &ends);
    struct rv_pool_stats stats;
    (void)state;

    for (int i = 0; i < 50; i++)
        assert_int_equal(rv_pool_submit(bg, pool, always_fail, NULL), 0);
    do {
        rv_pool_stats(pool, &stats);
        assert_int_equal(stats.accepted,
                         stats.queued + stats.active + stats.finished + stats.failed + stats.lost);
    } while (stats.retried < 50);
    rv_pool_destroy(pool);
    assert_int_equal(ends.lost, 50);
}

/* Submitters, a cancel and a destroy at random moments: the books always balance. */
static int submit_many(void *arg)
{
    struct submission *s = arg;
    int accepted = 0;

    for (int i = 0; i < 300; i++)
        accepted += rv_pool_submit(s->ctx, s->pool, i % 7 ? brief : always_fail, NULL) == 0;
    return accepted;
}

static void test_books_balance_under_cancel(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct ends ends;
        struct rv_context *ctx;
        struct rv_pool *pool;
        struct submission s;
        struct caller callers[3];
        int accepted = 0;

        rv_context_with_cancel(bg, &ctx);
        pool =
            make_pool(ctx,
                      (struct rv_pool_options){
                          .workers = 3, .queue = 16, .retries = 1, .backoff = 10 * RV_MICROSECOND},
                      &ends);
        s = (struct submission){bg, pool};
        for (int i = 0; i < 3; i++)
            caller_start(&callers[i], submit_many, &s);
        rv_sleep(bg, round * 100 * RV_MICROSECOND);
        rv_context_cancel(ctx, 0, NULL);
        for (int i = 0; i < 3; i++)
            accepted += caller_join(&callers[i]);
        rv_pool_destroy(pool);
        assert_int_equal(accepted, ends.finished + ends.failed + ends.lost);
        rv_context_unref(ctx);
    }
}

static void test_threads_are_limited(void **state)
{
    struct rv_pool_options options = {.size = sizeof(options), .workers = 6};
    struct rv_runtime_options limit = {.size = sizeof(limit), .threads_max = 8};
    struct rv_pool *a, *b;
    (void)state;

    rv_runtime_trim();
    assert_int_equal(rv_runtime_configure(&limit), 0);
    assert_int_equal(rv_pool_create(bg, &options, &a), 0);
    assert_int_equal(rv_pool_create(bg, &options, &b), -EAGAIN);
    rv_pool_destroy(a);
    assert_int_equal(rv_pool_create(bg, &options, &b), 0);
    rv_pool_destroy(b);
    limit.threads_max = 0;
    rv_runtime_configure(&limit);
}

/* Fans -------------------------------------------------------------------------------------------
 */

static int square(struct rv_context *ctx, const void *item, void *result, void *arg)
{
    int value = *(const int *)item;

    (void)ctx;
    if (arg && value == *(int *)arg)
        return rv_fail(-EDOM, "value %d", value);
    *(long long *)result = (long long)value * value;
    return value % 10 == 0 ? 1 : 0;
}

struct fan_call {
    struct rv_context *ctx;
    struct rv_channel *in, *out;
    void *arg;
    char text[128];
};

static int call_fan(void *arg)
{
    struct fan_call *call = arg;
    int r = rv_fan_run(call->ctx, call->in, call->out, 4, square, call->arg);

    snprintf(call->text, sizeof(call->text), "%s", rv_error_text());
    return r;
}

static void test_fan(void **state)
{
    struct fan_call call = {.ctx = bg};
    struct caller caller;
    long long sum = 0, expected = 0, value;
    int count = 0;
    (void)state;

    rv_channel_create(sizeof(int), 8, &call.in);
    rv_channel_create(sizeof(long long), 2000, &call.out);
    caller_start(&caller, call_fan, &call);
    for (int i = 1; i <= 1000; i++) {
        assert_int_equal(rv_channel_send(bg, call.in, &i), 0);
        expected += i % 10 ? (long long)i * i : 0;
    }
    rv_channel_close(call.in);
    while (rv_channel_recv(bg, call.out, &value) == 0) {
        sum += value;
        count++;
    }
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(count, 900);
    assert_int_equal(sum, expected);
    /* It was closed by the fan, once. */
    assert_int_equal(rv_channel_close(call.out), -EPIPE);
    rv_channel_unref(call.in);
    rv_channel_unref(call.out);
}

static void test_fan_ends_by_error_and_cancel(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct fan_call call = {0};
        struct caller caller;
        int bad = 3, value;

        rv_context_with_cancel(bg, &call.ctx);
        rv_channel_create(sizeof(int), 8, &call.in);
        rv_channel_create(sizeof(long long), 0, &call.out);
        call.arg = mode == 0 ? &bad : NULL;
        for (value = 1; value <= 8; value++)
            rv_channel_try_send(call.in, &value);
        if (mode == 0)
            /* The bad one comes first, so that no worker is stuck sending. */
            for (value = 1; value <= 8; value++)
                bad = 1;
        caller_start(&caller, call_fan, &call);
        if (mode == 1) {
            caller_wait_blocked(&caller);
            rv_context_cancel(call.ctx, -ESHUTDOWN, "no more");
            assert_int_equal(caller_join(&caller), -ESHUTDOWN);
        } else {
            assert_int_equal(caller_join(&caller), -EDOM);
            assert_non_null(strstr(call.text, "value 1"));
        }
        assert_int_equal(rv_channel_recv(bg, call.out, &(long long){0}), -EPIPE);
        rv_channel_unref(call.in);
        rv_channel_unref(call.out);
        rv_context_unref(call.ctx);
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
        cmocka_unit_test(test_limit_holds_at_its_peak),
        cmocka_unit_test(test_first_error_wins_and_cancels),
        cmocka_unit_test(test_cancel_while_go_blocks),
        cmocka_unit_test(test_pool_runs_and_drains),
        cmocka_unit_test(test_cancelled_submit_runs_nothing),
        cmocka_unit_test(test_pool_cancel_reports_the_rest_lost),
        cmocka_unit_test(test_retries_and_deadlines),
        cmocka_unit_test(test_destroy_with_retries_waiting),
        cmocka_unit_test(test_books_balance_under_cancel),
        cmocka_unit_test(test_threads_are_limited),
        cmocka_unit_test(test_fan),
        cmocka_unit_test(test_fan_ends_by_error_and_cancel),
    };

    return cmocka_run_group_tests_name("group", tests, setup, NULL);
}
