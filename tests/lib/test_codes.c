/* SPDX-License-Identifier: MIT */
/*
 * The code that a user cancels with comes out as it went in, even if the number means something
 * elsewhere: a pool that was cancelled with -EAGAIN is not full, a channel's context with -EPIPE
 * not closed.
 */
#include <limits.h>
#include <reeve/channel.h>
#include <reeve/fan.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/semaphore.h>
#include <reeve/ticker.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

static const int codes[] = {-EAGAIN, -EPIPE, -EBUSY, -ETIMEDOUT, -EINVAL, -ENOMEM, -EDEADLK, -EIO};

#define FOR_EACH_CODE(code) for (size_t i_ = 0; i_ < 8 && ((code) = codes[i_], true); i_++)

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

/* Pools ------------------------------------------------------------------- */

static struct rv_pool *make_pool(struct rv_context *ctx)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = 1, .queue = 1, .timeout = RV_FOREVER};
    struct rv_pool *pool;

    assert_int_equal(rv_pool_create(ctx, &options, &pool), 0);
    return pool;
}

static void test_a_cancelled_pool(void **state)
{
    int code;
    (void)state;

    FOR_EACH_CODE(code)
    {
        struct rv_pool *pool = make_pool(bg);

        rv_pool_cancel(pool, code, "x");
        assert_int_equal(rv_pool_submit(bg, pool, nothing, NULL), code);
        assert_int_equal(rv_pool_try_submit(pool, nothing, NULL), code);
        rv_pool_destroy(pool);
    }
}

static int fail_with(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return (int)(intptr_t)arg;
}

static void test_a_pool_below_a_group_that_failed(void **state)
{
    int code;
    (void)state;

    FOR_EACH_CODE(code)
    {
        struct rv_group *group;
        struct rv_pool *pool;

        assert_int_equal(rv_group_create(bg, &group), 0);
        pool = make_pool(rv_group_context(group));
        assert_int_equal(rv_group_go(group, fail_with, (void *)(intptr_t)code), 0);
        assert_int_equal(rv_context_wait(rv_group_context(group)), code);
        assert_int_equal(rv_pool_submit(bg, pool, nothing, NULL), code);
        assert_int_equal(rv_group_go(group, nothing, NULL), code);
        assert_int_equal(rv_group_try_go(group, nothing, NULL), code);
        rv_pool_destroy(pool);
        assert_int_equal(rv_group_wait(group), code);
        rv_group_destroy(group);
    }
}

/* A full pool, and a submitter that waits for room in it. */
struct submitter {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_pool *pool;
};

static int submit(void *arg)
{
    struct submitter *submitter = arg;

    return rv_pool_submit(submitter->ctx, submitter->pool, nothing, NULL);
}

static void fill(struct rv_pool *pool)
{
    reset();
    assert_int_equal(rv_pool_submit(bg, pool, until_cancelled, NULL), 0);
    wait_value(&running, 1);
    assert_int_equal(rv_pool_submit(bg, pool, nothing, NULL), 0);
}

static void test_a_submitter_that_waits(void **state)
{
    int code;
    (void)state;

    FOR_EACH_CODE(code)
    for (int own = 0; own < 2; own++) {
        struct submitter submitter = {.pool = make_pool(bg)};
        struct caller caller;

        fill(submitter.pool);
        assert_int_equal(rv_context_with_cancel(bg, &submitter.ctx, &submitter.cancel), 0);
        caller_start(&caller, submit, &submitter);
        caller_wait_blocked(&caller);
        if (own)
            rv_context_cancel(submitter.cancel, code, NULL);
        else
            rv_pool_cancel(submitter.pool, code, NULL);
        assert_int_equal(caller_join(&caller), code);
        rv_pool_destroy(submitter.pool);
        rv_context_unref(submitter.ctx);
    }
}

/* Blocking calls ---------------------------------------------------------- */

struct blocked {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_channel *channel;
    struct rv_semaphore *semaphore;
    struct rv_ticker *ticker;
    struct rv_pool *pool;
};

static int wait_sending(void *arg)
{
    struct blocked *blocked = arg;
    int element = 1, r;

    do
        r = rv_channel_send(blocked->ctx, blocked->channel, &element);
    while (r == 0);
    return r;
}

static int wait_sending_many(void *arg)
{
    struct blocked *blocked = arg;
    int elements[8] = {0};
    size_t sent;

    return rv_channel_send_many(blocked->ctx, blocked->channel, elements, 8, &sent);
}

static int wait_receiving(void *arg)
{
    struct blocked *blocked = arg;
    int element;

    return rv_channel_recv(blocked->ctx, blocked->channel, &element);
}

static int wait_receiving_many(void *arg)
{
    struct blocked *blocked = arg;
    int elements[8];
    size_t received;

    return rv_channel_recv_many(blocked->ctx, blocked->channel, elements, 8, &received);
}

static int wait_selecting(void *arg)
{
    struct blocked *blocked = arg;
    int element;
    struct rv_clause clauses[] = {RV_RECV(blocked->channel, &element), RV_RECV(NULL, &element)};

    return rv_select(blocked->ctx, clauses, 2, RV_FOREVER);
}

static int wait_polling(void *arg)
{
    struct blocked *blocked = arg;
    struct rv_clause clauses[] = {RV_READY(STDIN_FILENO, 0), RV_RECV(blocked->channel, NULL)};

    return rv_select(blocked->ctx, clauses, 2, RV_FOREVER);
}

static int wait_acquiring(void *arg)
{
    struct blocked *blocked = arg;

    return rv_semaphore_acquire(blocked->ctx, blocked->semaphore, 1);
}

static int wait_ticking(void *arg)
{
    struct blocked *blocked = arg;

    return rv_ticker_wait(blocked->ctx, blocked->ticker, NULL);
}

static int wait_sleeping(void *arg)
{
    struct blocked *blocked = arg;

    return rv_sleep(blocked->ctx, RV_FOREVER);
}

static int wait_draining(void *arg)
{
    struct blocked *blocked = arg;

    return rv_pool_drain(blocked->ctx, blocked->pool);
}

static int pass_on(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    (void)ctx;
    (void)item;
    (void)ret_result;
    (void)arg;
    return 1;
}

static int wait_fanning(void *arg)
{
    struct blocked *blocked = arg;

    return rv_fan_run(blocked->ctx, blocked->channel, NULL, 2, pass_on, NULL);
}

static int wait_periodically(void *arg)
{
    struct blocked *blocked = arg;

    return rv_periodic_run(blocked->ctx, RV_FOREVER, nothing, NULL);
}

static void test_whatever_blocks(void **state)
{
    static int (*const calls[])(void *arg) = {
        wait_sending,   wait_sending_many, wait_receiving, wait_receiving_many,
        wait_selecting, wait_polling,      wait_acquiring, wait_ticking,
        wait_sleeping,  wait_draining,     wait_fanning,   wait_periodically,
    };
    int code;
    (void)state;

    FOR_EACH_CODE(code)
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (size_t capacity = 0; capacity < 3; capacity++) {
            struct blocked blocked;
            struct caller caller;

            assert_int_equal(rv_context_with_cancel(bg, &blocked.ctx, &blocked.cancel), 0);
            assert_int_equal(rv_channel_create(sizeof(int), capacity, &blocked.channel), 0);
            assert_int_equal(rv_semaphore_create(1, &blocked.semaphore), 0);
            assert_int_equal(rv_semaphore_try_acquire(blocked.semaphore, 1), 0);
            assert_int_equal(rv_ticker_create(RV_FOREVER, &blocked.ticker), 0);
            blocked.pool = make_pool(bg);
            fill(blocked.pool);
            caller_start(&caller, calls[i], &blocked);
            caller_wait_blocked(&caller);
            rv_context_cancel(blocked.cancel, code, NULL);
            assert_int_equal(caller_join(&caller), code);
            rv_pool_destroy(blocked.pool);
            rv_ticker_destroy(blocked.ticker);
            rv_semaphore_destroy(blocked.semaphore);
            rv_channel_unref(blocked.channel);
            rv_context_unref(blocked.ctx);
        }
}

/* Codes that are none ----------------------------------------------------- */

static void test_a_positive_code(void **state)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_pool *pool = make_pool(bg);
    struct rv_clause clauses[] = {RV_RECV(NULL, NULL), RV_RECV(NULL, NULL)};
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    rv_context_cancel(cancel, 1, "one");
    assert_int_equal(rv_context_err(ctx), -1);
    assert_int_equal(rv_select(ctx, clauses, 2, RV_FOREVER), -1);
    rv_pool_cancel(pool, EIO, NULL);
    assert_int_equal(rv_pool_submit(bg, pool, nothing, NULL), -EIO);
    rv_pool_destroy(pool);
    rv_context_unref(ctx);
}

static void note_loss(const struct rv_outcome *end, void *arg)
{
    if (end->kind == RV_OUTCOME_LOST)
        *(int *)arg = end->code;
}

static void test_a_discard_without_a_code(void **state)
{
    int code = 1;
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = 1,
                                      .ended = note_loss,
                                      .arg = &code,
                                      .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    fill(pool);
    rv_pool_discard(pool, 0, NULL);
    assert_int_equal(code, -ECANCELED);
    rv_pool_destroy(pool);
}

/* Which has no positive counterpart. */
static void test_the_lowest_code(void **state)
{
    static const char text[] = "Unknown error 2147483647";
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_cause cause;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    rv_context_cancel(cancel, INT_MIN, NULL);
    assert_int_equal(rv_context_cause(ctx, &cause), INT_MIN);
    assert_string_equal(cause.text, text);
    rv_context_unref(ctx);
    assert_int_equal(rv_fail(INT_MIN, "it"), INT_MIN);
    assert_string_equal(rv_error_text(INT_MIN) + strlen("it: "), text);
    rv_error_clear();
    rv_wrap(INT_MIN, "it");
    assert_string_equal(rv_error_text(INT_MIN) + strlen("it: "), text);
    rv_error_clear();
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
        cmocka_unit_test(test_a_cancelled_pool),
        cmocka_unit_test(test_a_pool_below_a_group_that_failed),
        cmocka_unit_test(test_a_submitter_that_waits),
        cmocka_unit_test(test_whatever_blocks),
        cmocka_unit_test(test_a_positive_code),
        cmocka_unit_test(test_a_discard_without_a_code),
        cmocka_unit_test(test_the_lowest_code),
    };

    return cmocka_run_group_tests_name("codes", tests, setup, NULL);
}
