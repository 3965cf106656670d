/* SPDX-License-Identifier: MIT */
/* Sleeping, and waiting for a descriptor. */
#include <fcntl.h>
#include <poll.h>
#include <reeve/sleep.h>

#include "tests/support/test.h"

static struct rv_context *bg;

static void test_a_time_that_has_passed_is_no_wait(void **state)
{
    static const rv_duration past[] = {0, -1, -RV_SECOND, -1000 * 24 * RV_HOUR, INT64_MIN + 1};
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        assert_int_equal(rv_sleep(bg, past[i]), 0);
        assert_int_equal(rv_poll(bg, ends[0], POLLIN, past[i]), 0);
    }
    close(ends[0]);
    close(ends[1]);
}

static void test_a_sleep_is_not_short(void **state)
{
    static const rv_duration lengths[] = {1, RV_MICROSECOND, 300 * RV_MICROSECOND, RV_MILLISECOND};
    (void)state;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        rv_time start = rv_now();

        assert_int_equal(rv_sleep(bg, lengths[i]), 0);
        assert_true(rv_now() - start >= lengths[i]);
    }
}

static int sleep_for(void *arg)
{
    return rv_sleep(bg, *(rv_duration *)arg);
}

/* Each sleeper has its own end, whatever the order in which they began. */
static void test_sleepers_do_not_hold_each_other_up(void **state)
{
    rv_duration lengths[] = {4, 1, 3, 0, 2};
    struct caller callers[5];
    (void)state;

    for (int i = 0; i < 5; i++) {
        lengths[i] *= RV_MILLISECOND;
        caller_start(&callers[i], sleep_for, &lengths[i]);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
}

static void test_a_done_context_ends_it_at_once(void **state)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    rv_context_cancel(cancel, -ESHUTDOWN, NULL);
    assert_int_equal(rv_sleep(ctx, RV_FOREVER), -ESHUTDOWN);
    assert_int_equal(rv_sleep(ctx, 0), -ESHUTDOWN);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, RV_FOREVER), -ESHUTDOWN);
    rv_context_unref(ctx);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_deadline_ends_it(void **state)
{
    struct rv_context *ctx;
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL), 0);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, RV_FOREVER), -ETIMEDOUT);
    assert_int_equal(rv_sleep(ctx, RV_FOREVER), -ETIMEDOUT);
    rv_context_unref(ctx);
    close(ends[0]);
    close(ends[1]);
}

struct polling {
    int fd;
    short events;
};

static int call_poll(void *arg)
{
    struct polling *polling = arg;

    return rv_poll(bg, polling->fd, polling->events, RV_FOREVER);
}

/* In, out, and the far end's end, each while a thread is blocked on it. */
static void test_poll_sees_what_happens_meanwhile(void **state)
{
    struct polling in, out;
    struct caller reader, writer;
    char bytes[4096];
    int ends[2];
    (void)state;

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    in = (struct polling){ends[0], POLLIN};
    out = (struct polling){ends[1], POLLOUT};
    assert_int_equal(call_poll(&out), POLLOUT);
    caller_start(&reader, call_poll, &in);
    caller_wait_blocked(&reader);
    memset(bytes, 'x', sizeof(bytes));
    while (write(ends[1], bytes, sizeof(bytes)) > 0)
        ;
    assert_int_equal(caller_join(&reader), POLLIN);
    caller_start(&writer, call_poll, &out);
    caller_wait_blocked(&writer);
    while (read(ends[0], bytes, sizeof(bytes)) > 0)
        ;
    assert_int_equal(caller_join(&writer), POLLOUT);
    caller_start(&reader, call_poll, &in);
    caller_wait_blocked(&reader);
    close(ends[1]);
    assert_int_equal(caller_join(&reader), POLLHUP);
    close(ends[0]);
}

static void test_no_descriptor_is_an_error(void **state)
{
    (void)state;
    for (int fd = -1; fd > -4; fd--) {
        assert_int_equal(rv_poll(bg, fd, POLLIN, RV_FOREVER), -EBADF);
        assert_int_equal(rv_poll(bg, fd, POLLIN, 0), -EBADF);
    }
    assert_int_equal(rv_poll(bg, 1000000, POLLIN, RV_FOREVER), -EBADF);
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
        cmocka_unit_test(test_a_time_that_has_passed_is_no_wait),
        cmocka_unit_test(test_a_sleep_is_not_short),
        cmocka_unit_test(test_sleepers_do_not_hold_each_other_up),
        cmocka_unit_test(test_a_done_context_ends_it_at_once),
        cmocka_unit_test(test_a_deadline_ends_it),
        cmocka_unit_test(test_poll_sees_what_happens_meanwhile),
        cmocka_unit_test(test_no_descriptor_is_an_error),
    };

    return cmocka_run_group_tests_name("sleep", tests, setup, NULL);
}
