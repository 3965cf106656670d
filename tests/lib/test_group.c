/* SPDX-License-Identifier: MIT */
/* Groups: the limit, the first error, cancel, and fans, which are groups over a channel. */
#include <reeve/fan.h>
#include <reeve/runtime.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

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

static int fail_here(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return rv_fail(-EIO, "of the past");
}

/* A fan that is cancelled has no text of what ran on its threads before. */
static void test_fan_has_no_text_of_others(void **state)
{
    struct fan_call call = {0};
    struct rv_group *group;
    struct caller caller;
    (void)state;

    rv_group_create(bg, &group);
    for (int i = 0; i < 8; i++)
        rv_group_go(group, fail_here, NULL);
    rv_group_wait(group);
    rv_context_with_cancel(bg, &call.ctx);
    rv_channel_create(sizeof(int), 8, &call.in);
    rv_channel_create(sizeof(long long), 0, &call.out);
    caller_start(&caller, call_fan, &call);
    caller_wait_blocked(&caller);
    rv_context_cancel(call.ctx, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_string_equal(call.text, "");
    rv_channel_unref(call.in);
    rv_channel_unref(call.out);
    rv_context_unref(call.ctx);
}

/* Each gets a thread of its own at once, while there are threads. */
static void test_tries_get_threads(void **state)
{
    struct rv_group *group;
    (void)state;

    for (int round = 0; round < 20; round++) {
        rv_group_create(bg, &group);
        for (int i = 0; i < 20; i++)
            assert_int_equal(rv_group_try_go(group, until_cancelled, NULL), 0);
        rv_context_cancel(rv_group_context(group), -ECANCELED, NULL);
        rv_group_wait(group);
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
        cmocka_unit_test(test_fan),
        cmocka_unit_test(test_fan_ends_by_error_and_cancel),
        cmocka_unit_test(test_fan_has_no_text_of_others),
        cmocka_unit_test(test_tries_get_threads),
    };

    return cmocka_run_group_tests_name("group", tests, setup, NULL);
}
