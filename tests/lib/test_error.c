/* SPDX-License-Identifier: MIT */
/* A text is that of its error or of none: what was handled before is in no later one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <reeve/module.h>
#include <signal.h>

#include "tests/support/test.h"

static struct rv_context *bg;

static void test_a_text_is_of_its_error(void **state)
{
    (void)state;

    rv_fail(-ENOENT, "no settings");
    assert_string_equal(rv_error_text(-EIO), "");
    assert_string_equal(rv_error_text(0), "");
    assert_string_equal(rv_error_text(-ENOENT), "no settings: No such file or directory");
    /* It was handled: what follows is another. */
    assert_int_equal(rv_wrap(-EIO, "read"), -EIO);
    assert_string_equal(rv_error_text(-EIO), "read: Input/output error");
    assert_string_equal(rv_error_text(-ENOENT), "");
    rv_fail_text(-EIO, "the disk");
    rv_wrap(-EIO, "read");
    rv_wrap(-EIO, "start");
    assert_string_equal(rv_error_text(-EIO), "start: read: the disk");
    rv_error_clear();
    assert_string_equal(rv_error_text(-EIO), "");
    rv_wrap(-EIO, "again");
    assert_string_equal(rv_error_text(-EIO), "again: Input/output error");
}

/* Functions of the library that say nothing of their errors, and which each return the one of its
 * row. */
static struct rv_channel *channel;
static struct rv_context *done;
static int byte;

static int send_closed(void)
{
    return rv_channel_send(bg, channel, &byte);
}

static int try_closed(void)
{
    return rv_channel_try_send(channel, &byte);
}

static int receive_done(void)
{
    return rv_channel_recv(done, channel, &byte);
}

static int send_many_done(void)
{
    return rv_channel_send_many(done, channel, &byte, 1, NULL);
}

static int select_nothing(void)
{
    return rv_select(bg, NULL, 0, 0);
}

static int sleep_done(void)
{
    return rv_sleep(done, 0);
}

static int poll_closed(void)
{
    return rv_poll(bg, 1 << 20, POLLIN, 0);
}

static int wait_done(void)
{
    return rv_context_wait(done);
}

static int make_no_channel(void)
{
    return rv_channel_create(0, 0, &channel);
}

static int make_no_ticker(void)
{
    struct rv_ticker *ticker;

    return rv_ticker_create(0, &ticker);
}

static int no_signal(void)
{
    static const int signals[] = {SIGKILL, 0};
    struct rv_context *ctx;

    return rv_context_with_signals(bg, signals, &ctx, NULL);
}

static int acquire_too_much(void)
{
    struct rv_semaphore *semaphore;
    int r = rv_semaphore_create(1, &semaphore);

    if (r == 0) {
        r = rv_semaphore_try_acquire(semaphore, 2);
        rv_semaphore_destroy(semaphore);
    }
    return r;
}

static int submit_nowhere(void)
{
    return rv_submit(bg, "pool", NULL, 0);
}

static int run_done(void)
{
    char name[] = "true", *argv[] = {name, NULL};

    return rv_command_run(done, argv, NULL, NULL);
}

static int fan_done(void)
{
    return rv_fan_run(done, channel, NULL, 1, NULL, NULL);
}

static int once_done(void)
{
    struct rv_once once = RV_ONCE_INIT;

    return rv_once_do(done, &once, NULL, NULL);
}

static int periodic_done(void)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_SECOND};
    struct rv_periodic *periodic;

    return rv_periodic_create(done, &spec, NULL, NULL, &periodic);
}

static int small_pool_options(void)
{
    struct rv_pool_options options = {.size = 1};
    struct rv_pool *pool;

    return rv_pool_create(bg, &options, &pool);
}

static int small_runtime_options(void)
{
    struct rv_runtime_options options = {.size = 1};

    return rv_runtime_configure(&options);
}

static void test_the_librarys_errors_take_no_older_text(void **state)
{
    static const struct {
        const char *name;
        int (*call)(void);
        int expected;
    } rows[] = {
        {"send", send_closed, -EPIPE},
        {"try_send", try_closed, -EPIPE},
        {"recv", receive_done, -ESHUTDOWN},
        {"send_many", send_many_done, -ESHUTDOWN},
        {"select", select_nothing, -EAGAIN},
        {"sleep", sleep_done, -ESHUTDOWN},
        {"poll", poll_closed, -EBADF},
        {"wait", wait_done, -ESHUTDOWN},
        {"channel", make_no_channel, -EINVAL},
        {"ticker", make_no_ticker, -EINVAL},
        {"signals", no_signal, -EINVAL},
        {"semaphore", acquire_too_much, -EINVAL},
        {"submit", submit_nowhere, -ENOSYS},
        {"command", run_done, -ESHUTDOWN},
        {"fan", fan_done, -ESHUTDOWN},
        {"once", once_done, -ESHUTDOWN},
        {"periodic", periodic_done, -ESHUTDOWN},
        {"pool", small_pool_options, -EINVAL},
        {"runtime", small_runtime_options, -EINVAL},
    };
    struct rv_cancel *cancel;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(byte), 1, &channel), 0);
    assert_int_equal(rv_channel_close(channel), 0);
    assert_int_equal(rv_context_with_cancel(bg, &done, &cancel), 0);
    rv_context_cancel(cancel, -ESHUTDOWN, "the end");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rv_fail_text(rows[i].expected, "handled before");
        if (rows[i].call() != rows[i].expected)
            fail_msg("%s returns something else", rows[i].name);
        if (strcmp(rv_error_text(rows[i].expected), "") != 0)
            fail_msg("%s leaves \"%s\"", rows[i].name, rv_error_text(rows[i].expected));
        /* A text of another error may be in use still. */
        rv_fail_text(-EDOM, "to be told");
        rows[i].call();
        assert_string_equal(rv_error_text(-EDOM), "to be told");
    }
    rv_channel_unref(channel);
    rv_context_unref(done);
}

/* An error that a function returns is told with its own text. */
static int handle_one_and_return_another(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    rv_fail(-ENOENT, "no cache, so none is used");
    return -EIO;
}

static void note_text(const struct rv_outcome *outcome, void *arg)
{
    snprintf(arg, 64, "%d:%s", outcome->code, outcome->text);
}

static void test_results_take_no_older_text(void **state)
{
    struct rv_pool_options options = RV_POOL_DEFAULTS;
    struct rv_once once = RV_ONCE_INIT;
    struct rv_group *group;
    struct rv_pool *pool;
    char told[64] = "", expected[64];
    (void)state;

    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, handle_one_and_return_another, NULL), 0);
    assert_int_equal(rv_group_wait(group), -EIO);
    assert_string_equal(rv_error_text(-EIO), "");
    rv_group_destroy(group);
    assert_int_equal(rv_once_do(bg, &once, handle_one_and_return_another, NULL), -EIO);
    assert_string_equal(rv_error_text(-EIO), "");
    rv_once_destroy(&once);
    options.ended = note_text;
    options.arg = told;
    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    assert_int_equal(rv_pool_submit(bg, pool, handle_one_and_return_another, NULL), 0);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    rv_pool_destroy(pool);
    snprintf(expected, sizeof(expected), "%d:", -EIO);
    assert_string_equal(told, expected);
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
        cmocka_unit_test(test_a_text_is_of_its_error),
        cmocka_unit_test(test_the_librarys_errors_take_no_older_text),
        cmocka_unit_test(test_results_take_no_older_text),
    };

    return cmocka_run_group_tests_name("error", tests, setup, NULL);
}
