/* SPDX-License-Identifier: MIT */
/* Groups: the limit, the first error, cancel. */

#include "tests/lib/threads.h"
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
    rv_group_destroy(group);
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
    rv_group_destroy(group);
    assert_string_equal(rv_error_text(-EIO), "item 3: Input/output error");
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
    struct rv_cancel *cancel;
    struct rv_group *group;
    struct caller caller;
    (void)state;

    reset();
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    assert_int_equal(rv_group_create(ctx, &group), 0);
    rv_group_set_limit(group, 2);
    caller_start(&caller, go_until_refused, group);
    caller_wait_blocked(&caller);
    assert_true(peak <= 2);
    assert_int_equal(rv_group_try_go(group, brief, NULL), -EAGAIN);
    rv_context_cancel(cancel, -ESHUTDOWN, "end");
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_int_equal(rv_group_wait(group), -ESHUTDOWN);
    rv_group_destroy(group);
    rv_context_unref(ctx);
}

static void test_cancel_with_a_text(void **state)
{
    struct rv_group *group;
    struct rv_context *ctx;
    struct rv_cause cause;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    ctx = rv_context_ref(rv_group_context(group));
    assert_int_equal(rv_group_go(group, until_cancelled, NULL), 0);
    rv_group_cancel(group, ESHUTDOWN, "the %s", "end");
    rv_group_cancel(group, -EIO, NULL);
    assert_int_equal(rv_context_cause(ctx, &cause), -ESHUTDOWN);
    assert_string_equal(cause.text, "the end");
    assert_int_equal(rv_group_go(group, brief, NULL), -ESHUTDOWN);
    assert_int_equal(rv_group_wait(group), -ESHUTDOWN);
    rv_group_destroy(group);
    rv_context_unref(ctx);
    /* The cancel of a group in which nothing fails is no error. */
    assert_int_equal(rv_group_create(bg, &group), 0);
    rv_group_cancel(group, 0, NULL);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
}

/* A function that nobody has waited for is cancelled, and has returned when the group is gone. */
static void test_destroy_cancels_and_joins(void **state)
{
    struct rv_group *group;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rv_group_go(group, until_cancelled, NULL), 0);
    wait_value(&running, 5);
    rv_fail_text(-EIO, "mine");
    rv_group_destroy(group);
    assert_int_equal(running, 0);
    assert_string_equal(rv_error_text(-EIO), "mine");
    rv_group_destroy(NULL);
    /* A second wait tells the same. */
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, fail_with, &(int){-EDOM}), 0);
    assert_int_equal(rv_group_wait(group), -EDOM);
    assert_int_equal(rv_group_wait(group), -EDOM);
    assert_int_equal(rv_group_go(group, brief, NULL), -EDOM);
    rv_group_destroy(group);
}

/* Each gets a thread of its own at once, while there are threads. */
static void test_tries_get_threads(void **state)
{
    struct rv_group *group;
    (void)state;

    for (int round = 0; round < 20; round++) {
        assert_int_equal(rv_group_create(bg, &group), 0);
        for (int i = 0; i < 20; i++)
            assert_int_equal(rv_group_try_go(group, until_cancelled, NULL), 0);
        rv_group_cancel(group, -ECANCELED, NULL);
        (void)!rv_group_wait(group);
        rv_group_destroy(group);
    }
}

/* The runtime starts a whole run-up of a group without asking for each only where it has so many.
 */
#define RUN_UP_OF_GROUPS 32

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

static int do_nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

/* The group was well with short functions, and others have taken the threads since. */
static void test_a_start_after_others_have_taken_the_threads(void **state)
{
    struct rv_group *group, *busy;
    int others = 0;
    (void)state;

    limit_threads(40);
    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_create(bg, &busy), 0);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(rv_group_go(group, do_nothing, NULL), 0);
    assert_int_equal(rv_group_go(group, until_cancelled, NULL), 0);
    wait_value(&running, 1);
    while (rv_group_try_go(busy, until_released, NULL) == 0)
        wait_value(&running, 1 + ++others);
    assert_int_equal(rv_group_try_go(group, do_nothing, NULL), -EAGAIN);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_group_wait(busy), 0);
    rv_group_destroy(busy);
    rv_group_cancel(group, -ECANCELED, NULL);
    assert_int_equal(rv_group_wait(group), -ECANCELED);
    rv_group_destroy(group);
    limit_threads(0);
}

/* Down to the last thread of the runtime, each at work beside the others; often, as a worker that
 * comes while another one looks at the rest must not bring up one too many. */
static void test_tries_up_to_the_last_thread(void **state)
{
    (void)state;

    for (int threads = 1; threads <= 6; threads++) {
        limit_threads((unsigned)threads);
        for (int round = 0; round < rounds_of(2000); round++) {
            struct rv_group *group;

            reset();
            assert_int_equal(rv_group_create(bg, &group), 0);
            for (int i = 0; i < threads; i++)
                assert_int_equal(rv_group_try_go(group, until_released, NULL), 0);
            wait_value(&running, threads);
            assert_int_equal(rv_group_try_go(group, until_released, NULL), -EAGAIN);
            atomic_store(&release_all, 1);
            assert_int_equal(rv_group_wait(group), 0);
            rv_group_destroy(group);
        }
    }
    limit_threads(0);
}

static int go_once(void *arg)
{
    return rv_group_go(arg, do_nothing, NULL);
}

/* The thread that a function had waited for is free when it has ended, also when it comes late, and
 * another thread has run the function. */
static void test_tries_after_one_that_waited_for_a_thread(void **state)
{
    const struct rv_runtime_options two = {.size = sizeof(two), .threads_max = 2};
    (void)state;

    for (int round = 0; round < rounds_of(1000); round++) {
        struct rv_group *group, *next;
        struct caller caller;

        reset();
        limit_threads(1);
        assert_int_equal(rv_group_create(bg, &group), 0);
        assert_int_equal(rv_group_create(bg, &next), 0);
        assert_int_equal(rv_group_try_go(group, until_released, NULL), 0);
        caller_start(&caller, go_once, group);
        caller_wait_blocked(&caller);
        assert_int_equal(rv_runtime_configure(&two), 0);
        atomic_store(&release_all, round % 2);
        assert_int_equal(caller_join(&caller), 0);
        atomic_store(&release_all, 1);
        assert_int_equal(rv_group_wait(group), 0);
        reset();
        for (int i = 0; i < 2; i++)
            assert_int_equal(rv_group_try_go(next, until_released, NULL), 0);
        wait_value(&running, 2);
        atomic_store(&release_all, 1);
        assert_int_equal(rv_group_wait(next), 0);
        rv_group_destroy(group);
        rv_group_destroy(next);
    }
    limit_threads(0);
}

static int count_one(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_fetch_add(&total, 1);
    return 0;
}

/* Of those that there may be, the few tries leave most. */
static void test_tries_of_a_group_that_kept_up_while_threads_are_few(void **state)
{
    (void)state;

    limit_threads(RUN_UP_OF_GROUPS + 4);
    for (int round = 0; round < rounds_of(300); round++) {
        struct rv_group *group;

        reset();
        assert_int_equal(rv_group_create(bg, &group), 0);
        for (int i = 0; i < 3000; i++)
            assert_int_equal(rv_group_go(group, do_nothing, NULL), 0);
        /* Room for the starts that follow. */
        assert_int_equal(rv_group_go(group, count_one, NULL), 0);
        wait_value(&total, 1);
        for (int i = 0; i < 6; i++) {
            assert_int_equal(rv_group_try_go(group, until_released, NULL), 0);
            assert_int_equal(rv_group_go(group, do_nothing, NULL), 0);
        }
        wait_value(&running, 6);
        atomic_store(&release_all, 1);
        assert_int_equal(rv_group_wait(group), 0);
        rv_group_destroy(group);
    }
    limit_threads(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_holds_at_its_peak),
        cmocka_unit_test(test_first_error_wins_and_cancels),
        cmocka_unit_test(test_cancel_while_go_blocks),
        cmocka_unit_test(test_cancel_with_a_text),
        cmocka_unit_test(test_destroy_cancels_and_joins),
        cmocka_unit_test(test_tries_get_threads),
        cmocka_unit_test(test_a_start_after_others_have_taken_the_threads),
        cmocka_unit_test(test_tries_up_to_the_last_thread),
        cmocka_unit_test(test_tries_after_one_that_waited_for_a_thread),
        cmocka_unit_test(test_tries_of_a_group_that_kept_up_while_threads_are_few),
    };

    return cmocka_run_group_tests_name("group", tests, setup, NULL);
}
