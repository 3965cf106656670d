/* SPDX-License-Identifier: MIT */
/* Fans: every item once, one end, and no item waits while a worker idles. */
#include <reeve/fan.h>
#include <time.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

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
    struct rv_cancel *cancel;
    struct rv_channel *in, *out;
    void *arg;
    char text[128];
};

static int call_fan(void *arg)
{
    struct fan_call *call = arg;
    int r = rv_fan_run(call->ctx, call->in, call->out, 4, square, call->arg);

    snprintf(call->text, sizeof(call->text), "%s", rv_error_text(r));
    return r;
}

static void test_fan(void **state)
{
    struct fan_call call = {.ctx = bg};
    struct caller caller;
    long long sum = 0, expected = 0, value;
    int count = 0;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(int), 8, &call.in), 0);
    assert_int_equal(rv_channel_create(sizeof(long long), 2000, &call.out), 0);
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

        assert_int_equal(rv_context_with_cancel(bg, &call.ctx, &call.cancel), 0);
        assert_int_equal(rv_channel_create(sizeof(int), 8, &call.in), 0);
        assert_int_equal(rv_channel_create(sizeof(long long), 0, &call.out), 0);
        call.arg = mode == 0 ? &bad : NULL;
        for (value = 1; value <= 8; value++)
            (void)!rv_channel_try_send(call.in, &value);
        if (mode == 0)
            /* The bad one comes first, so that no worker is stuck sending. */
            for (value = 1; value <= 8; value++)
                bad = 1;
        caller_start(&caller, call_fan, &call);
        if (mode == 1) {
            caller_wait_blocked(&caller);
            rv_context_cancel(call.cancel, -ESHUTDOWN, "no more");
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

    assert_int_equal(rv_group_create(bg, &group), 0);
    for (int i = 0; i < 8; i++)
        (void)!rv_group_go(group, fail_here, NULL);
    (void)!rv_group_wait(group);
    rv_group_destroy(group);
    assert_int_equal(rv_context_with_cancel(bg, &call.ctx, &call.cancel), 0);
    assert_int_equal(rv_channel_create(sizeof(int), 8, &call.in), 0);
    assert_int_equal(rv_channel_create(sizeof(long long), 0, &call.out), 0);
    caller_start(&caller, call_fan, &call);
    caller_wait_blocked(&caller);
    rv_context_cancel(call.cancel, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_string_equal(call.text, "");
    rv_channel_unref(call.in);
    rv_channel_unref(call.out);
    rv_context_unref(call.ctx);
}

/* Workers ----------------------------------------------------------------- */

#define WORKERS 4

/* Items that are done only when all workers are in one. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t met;
    int present, meetings;
    bool in_vain;
} place = {.lock = PTHREAD_MUTEX_INITIALIZER, .met = PTHREAD_COND_INITIALIZER};

#define PATIENCE 30 /* seconds: who has not come by then never comes */

static void meet(void)
{
    struct timespec until;
    int mine;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    pthread_mutex_lock(&place.lock);
    mine = place.meetings;
    if (++place.present == WORKERS) {
        place.present = 0;
        place.meetings++;
        pthread_cond_broadcast(&place.met);
    }
    while (mine == place.meetings && !place.in_vain)
        if (pthread_cond_timedwait(&place.met, &place.lock, &until) != 0) {
            place.in_vain = true;
            pthread_cond_broadcast(&place.met);
        }
    pthread_mutex_unlock(&place.lock);
}

static int meet_or_pass(struct rv_context *ctx, const void *item, void *result, void *arg)
{
    (void)ctx;
    (void)arg;
    if (*(const int *)item)
        meet();
    *(int *)result = *(const int *)item;
    return 0;
}

static int run_meeting_fan(void *arg)
{
    struct fan_call *call = arg;

    return rv_fan_run(call->ctx, call->in, call->out, WORKERS, meet_or_pass, NULL);
}

static int drop_all(void *arg)
{
    int value, count = 0;

    while (rv_channel_recv(bg, arg, &value) == 0)
        count++;
    return count;
}

/* After a flow of short items one worker does all; long ones are for everybody. */
static void test_long_items_after_short_ones(void **state)
{
    struct fan_call call = {.ctx = bg};
    struct caller fan, collector;
    int rounds = rounds_of(20), sent = 0;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(int), 256, &call.in), 0);
    assert_int_equal(rv_channel_create(sizeof(int), 256, &call.out), 0);
    caller_start(&fan, run_meeting_fan, &call);
    caller_start(&collector, drop_all, call.out);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 2000 + 3 * WORKERS; i++, sent++)
            assert_int_equal(rv_channel_send(bg, call.in, &(int){i >= 2000}), 0);
    }
    rv_channel_close(call.in);
    assert_int_equal(caller_join(&fan), 0);
    assert_int_equal(caller_join(&collector), sent);
    assert_false(place.in_vain);
    rv_channel_unref(call.in);
    rv_channel_unref(call.out);
}

/* Those that idle hear of every end: a close, a cancel, an error. */
static void test_the_end_reaches_all(void **state)
{
    (void)state;
    for (int round = 0; round < rounds_of(60); round++) {
        static const int expected[] = {0, -ESHUTDOWN, -EDOM};
        struct fan_call call = {0};
        struct caller caller;
        int bad = 7, value = 7;

        assert_int_equal(rv_context_with_cancel(bg, &call.ctx, &call.cancel), 0);
        assert_int_equal(rv_channel_create(sizeof(int), 8, &call.in), 0);
        assert_int_equal(rv_channel_create(sizeof(long long), 8, &call.out), 0);
        call.arg = &bad;
        caller_start(&caller, call_fan, &call);
        if (round % 2)
            caller_wait_blocked(&caller);
        if (round % 3 == 0)
            rv_channel_close(call.in);
        else if (round % 3 == 1)
            rv_context_cancel(call.cancel, -ESHUTDOWN, NULL);
        else
            (void)!rv_channel_send(bg, call.in, &value);
        assert_int_equal(caller_join(&caller), expected[round % 3]);
        rv_channel_unref(call.in);
        rv_channel_unref(call.out);
        rv_context_unref(call.ctx);
    }
}

static void test_no_workers(void **state)
{
    struct rv_channel *in, *out;
    int item = 1;
    long long result;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(item), 1, &in), 0);
    assert_int_equal(rv_channel_create(sizeof(result), 1, &out), 0);
    assert_int_equal(rv_channel_send(bg, in, &item), 0);
    assert_int_equal(rv_fan_run(bg, in, out, 0, square, NULL), -EINVAL);
    assert_int_equal(rv_channel_recv(bg, out, &result), -EPIPE);
    assert_int_equal(rv_channel_length(in), 1);
    rv_channel_unref(in);
    rv_channel_unref(out);
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
        cmocka_unit_test(test_fan),
        cmocka_unit_test(test_fan_ends_by_error_and_cancel),
        cmocka_unit_test(test_fan_has_no_text_of_others),
        cmocka_unit_test(test_long_items_after_short_ones),
        cmocka_unit_test(test_the_end_reaches_all),
        cmocka_unit_test(test_no_workers),
    };

    return cmocka_run_group_tests_name("fan", tests, setup, NULL);
}
