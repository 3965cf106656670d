/* SPDX-License-Identifier: MIT */
/* Pools: every accepted job ends as finished, failed or lost, whatever is cancelled when. */
#include <reeve/pool.h>

#include "tests/lib/threads.h"
#include "tests/lib/workers.h"

static struct rv_context *bg;

struct ends {
    _Atomic int finished, failed, lost, attempts;
    _Atomic int code;
};

static void note_end(const struct rv_outcome *end, void *arg)
{
    struct ends *ends = arg;

    atomic_fetch_add(end->kind == RV_OUTCOME_FINISHED ? &ends->finished
                     : end->kind == RV_OUTCOME_FAILED ? &ends->failed
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
    struct rv_pool *pool = make_pool(
        bg, (struct rv_pool_options){.workers = 4, .queue = 8, .timeout = RV_FOREVER}, &ends);
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
    struct rv_cancel *cancel;
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
    struct rv_pool *pool = make_pool(
        bg, (struct rv_pool_options){.workers = 1, .queue = 1, .timeout = RV_FOREVER}, &ends);
    struct submission s = {.pool = pool};
    struct caller caller;
    (void)state;

    reset();
    assert_int_equal(rv_context_with_cancel(bg, &s.ctx, &s.cancel), 0);
    assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
    wait_value(&running, 1);
    assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
    assert_int_equal(rv_pool_try_submit(pool, brief, NULL), -EAGAIN);
    caller_start(&caller, call_submit, &s);
    caller_wait_blocked(&caller);
    rv_context_cancel(s.cancel, 0, NULL);
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
    struct rv_cancel *cancel;
    struct rv_pool *pool;
    struct submission s = {.ctx = bg};
    struct caller caller;
    (void)state;

    reset();
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    pool = make_pool(
        ctx, (struct rv_pool_options){.workers = 2, .queue = 10, .timeout = RV_FOREVER}, &ends);
    s.pool = pool;
    for (int i = 0; i < 12; i++)
        assert_int_equal(rv_pool_submit(bg, pool, until_cancelled, NULL), 0);
    wait_value(&running, 2);
    caller_start(&caller, call_submit, &s);
    caller_wait_blocked(&caller);
    rv_context_cancel(cancel, -ESHUTDOWN, "the end");
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

static int refuse_data(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return rv_fail_text(-EBADMSG, "no such thing");
}

/* A job that can never succeed is not tried again. */
static void test_no_retry_of_bad_data(void **state)
{
    struct ends ends;
    struct rv_pool *pool = make_pool(
        bg,
        (struct rv_pool_options){
            .workers = 2, .queue = 4, .retries = 9, .backoff = RV_HOUR, .timeout = RV_FOREVER},
        &ends);
    struct rv_pool_stats stats;
    (void)state;

    assert_int_equal(rv_pool_submit(bg, pool, refuse_data, NULL), 0);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    rv_pool_stats(pool, &stats);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.retried, 0);
    assert_int_equal(ends.attempts, 1);
    assert_int_equal(ends.code, -EBADMSG);
    rv_pool_destroy(pool);
}

static void test_retries_and_deadlines(void **state)
{
    struct ends ends;
    struct rv_pool_options options = {.workers = 2,
                                      .queue = 4,
                                      .retries = 2,
                                      .backoff = RV_MICROSECOND,
                                      .backoff_max = RV_MILLISECOND,
                                      .timeout = RV_FOREVER};
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

/* A worker that looks for work at the moment of the cancel takes none that it made due. */
static void test_destroy_with_retries_waiting(void **state)
{
    struct rv_pool_options options = {.workers = 2,
                                      .queue = 64,
                                      .retries = 9,
                                      .backoff = RV_HOUR,
                                      .backoff_max = RV_HOUR,
                                      .timeout = RV_FOREVER};
    (void)state;

    for (int round = 0; round < 60; round++) {
        int count = round % 2 ? 50 : 4;
        struct ends ends;
        struct rv_pool *pool = make_pool(bg, options, &ends);
        struct rv_pool_stats stats;

        for (int i = 0; i < count; i++)
            assert_int_equal(rv_pool_submit(bg, pool, always_fail, NULL), 0);
        do {
            rv_pool_stats(pool, &stats);
            assert_int_equal(stats.accepted, stats.queued + stats.active + stats.finished +
                                                 stats.failed + stats.lost);
        } while (stats.retried < (uint64_t)count);
        rv_pool_destroy(pool);
        assert_int_equal(ends.lost, count);
    }
}

static int fail_when_released(struct rv_context *ctx, void *arg)
{
    until_released(ctx, arg);
    return -EIO;
}

/* A discarded job has no further attempts, a job that was under way meanwhile included. */
static void test_a_discard_ends_the_attempts(void **state)
{
    struct rv_pool_options options = {
        .workers = 1, .retries = 9, .backoff = RV_HOUR, .timeout = RV_FOREVER};
    struct ends ends;
    struct rv_pool *pool = make_pool(bg, options, &ends);
    (void)state;

    reset();
    assert_int_equal(rv_pool_submit(bg, pool, fail_when_released, NULL), 0);
    wait_value(&running, 1);
    assert_int_equal(rv_pool_submit(bg, pool, brief, NULL), 0);
    rv_pool_discard(pool, -EIO, "no longer");
    atomic_store(&release_all, 1);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(ends.failed, 1);
    assert_int_equal(ends.lost, 1);
    rv_pool_destroy(pool);
}

static int submit_one(void *arg)
{
    struct submission *s = arg;

    return rv_pool_submit(s->ctx, s->pool, brief, NULL);
}

static int drain_it(void *arg)
{
    struct submission *s = arg;

    return rv_pool_drain(s->ctx, s->pool);
}

/* Callers that are blocked in a pool when it is destroyed leave it before its memory goes. */
static void test_destroy_with_callers_inside(void **state)
{
    (void)state;
    for (int round = 0; round < rounds_of(60); round++) {
        struct rv_pool_options options = {.workers = 1, .queue = 1, .timeout = RV_FOREVER};
        struct ends ends;
        struct submission s = {.ctx = bg, .pool = make_pool(bg, options, &ends)};
        struct caller callers[5];

        reset();
        assert_int_equal(rv_pool_submit(bg, s.pool, until_cancelled, NULL), 0);
        wait_value(&running, 1);
        assert_int_equal(rv_pool_submit(bg, s.pool, brief, NULL), 0);
        for (int i = 0; i < 4; i++) {
            caller_start(&callers[i], submit_one, &s);
            caller_wait_blocked(&callers[i]);
        }
        if (round % 2) {
            caller_start(&callers[4], drain_it, &s);
            for (int i = 0; i < 4; i++)
                assert_int_equal(caller_join(&callers[i]), -EPIPE);
            caller_wait_blocked(&callers[4]);
        }
        rv_pool_destroy(s.pool);
        if (round % 2)
            assert_int_equal(caller_join(&callers[4]), 0);
        else
            for (int i = 0; i < 4; i++)
                assert_int_equal(caller_join(&callers[i]), -ECANCELED);
    }
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
        struct rv_cancel *cancel;
        struct rv_pool *pool;
        struct submission s;
        struct caller callers[3];
        int accepted = 0;

        assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
        pool = make_pool(ctx,
                         (struct rv_pool_options){.workers = 3,
                                                  .queue = 16,
                                                  .retries = 1,
                                                  .backoff = 10 * RV_MICROSECOND,
                                                  .timeout = RV_FOREVER},
                         &ends);
        s = (struct submission){bg, pool};
        for (int i = 0; i < 3; i++)
            caller_start(&callers[i], submit_many, &s);
        assert_int_equal(rv_sleep(bg, round * 100 * RV_MICROSECOND), 0);
        rv_context_cancel(cancel, 0, NULL);
        for (int i = 0; i < 3; i++)
            accepted += caller_join(&callers[i]);
        rv_pool_destroy(pool);
        assert_int_equal(accepted, ends.finished + ends.failed + ends.lost);
        rv_context_unref(ctx);
    }
}

/* A submitter that is cancelled just as it gets room leaves the room to the next one. */
struct handover {
    struct rv_context *cancelled;
    struct rv_cancel *cancel_cancelled;
};

static int cancel_the_first(struct rv_context *ctx, void *arg)
{
    struct handover *handover = arg;

    (void)ctx;
    rv_context_cancel(handover->cancel_cancelled, 0, NULL);
    return 0;
}

static void test_room_is_handed_on(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct ends ends;
        struct rv_pool *pool = make_pool(
            bg, (struct rv_pool_options){.workers = 1, .queue = 1, .timeout = RV_FOREVER}, &ends);
        struct submission first = {.pool = pool}, second = {.ctx = bg, .pool = pool};
        struct handover handover = {0};
        struct caller callers[2];
        int r;

        reset();
        assert_int_equal(rv_context_with_cancel(bg, &first.ctx, &first.cancel), 0);
        handover.cancelled = first.ctx;
        assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
        wait_value(&running, 1);
        assert_int_equal(rv_pool_submit(bg, pool, cancel_the_first, &handover), 0);
        caller_start(&callers[0], call_submit, &first);
        caller_wait_blocked(&callers[0]);
        caller_start(&callers[1], call_submit, &second);
        caller_wait_blocked(&callers[1]);
        atomic_store(&release_all, 1);
        r = caller_join(&callers[0]);
        assert_true(r == 0 || r == -ECANCELED);
        assert_int_equal(caller_join(&callers[1]), 0);
        rv_pool_destroy(pool);
        rv_context_unref(first.ctx);
    }
}

static void test_options_that_cannot_be(void **state)
{
    struct rv_pool_options options = {.size = sizeof(options) - 1, .timeout = RV_FOREVER};
    struct rv_pool *pool = NULL;
    (void)state;

    assert_int_equal(rv_pool_create(bg, &options, &pool), -EINVAL);
    /* A queue whose size overflows. */
    options = (struct rv_pool_options){
        .size = sizeof(options), .workers = 2, .queue = SIZE_MAX, .timeout = RV_FOREVER};
    assert_int_equal(rv_pool_create(bg, &options, &pool), -EINVAL);
    assert_null(pool);
    rv_pool_destroy(pool);
}

static void test_threads_are_limited(void **state)
{
    struct rv_pool_options options = {.size = sizeof(options), .workers = 6, .timeout = RV_FOREVER};
    struct rv_pool *a, *b;
    (void)state;

    limit_threads(8);
    assert_int_equal(rv_pool_create(bg, &options, &a), 0);
    assert_int_equal(rv_pool_create(bg, &options, &b), -EAGAIN);
    rv_pool_destroy(a);
    assert_int_equal(rv_pool_create(bg, &options, &b), 0);
    rv_pool_destroy(b);
    /* After a wait for a pool's end its threads are free, every time. */
    for (int i = 0; i < 500; i++) {
        assert_int_equal(rv_pool_create(bg, &options, &a), 0);
        rv_pool_destroy(a);
    }
    limit_threads(0);
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
        cmocka_unit_test(test_pool_runs_and_drains),
        cmocka_unit_test(test_cancelled_submit_runs_nothing),
        cmocka_unit_test(test_pool_cancel_reports_the_rest_lost),
        cmocka_unit_test(test_retries_and_deadlines),
        cmocka_unit_test(test_no_retry_of_bad_data),
        cmocka_unit_test(test_destroy_with_retries_waiting),
        cmocka_unit_test(test_a_discard_ends_the_attempts),
        cmocka_unit_test(test_destroy_with_callers_inside),
        cmocka_unit_test(test_books_balance_under_cancel),
        cmocka_unit_test(test_room_is_handed_on),
        cmocka_unit_test(test_options_that_cannot_be),
        cmocka_unit_test(test_threads_are_limited),
    };

    return cmocka_run_group_tests_name("pool", tests, setup, NULL);
}
