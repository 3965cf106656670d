/* SPDX-License-Identifier: MIT */
/* Groups: which error comes out, what becomes of the context, and what a limit refuses. */

#include "tests/lib/threads.h"
#include "tests/lib/workers.h"

static struct rv_context *bg;

static int give_back(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return *(int *)arg;
}

/* Results in the order of starting; each but the first waits until the one before has run. */
static void test_the_first_error_of_a_row(void **state)
{
    static const struct {
        int results[3];
        int count, expected;
    } rows[] = {
        {{0}, 0, 0},
        {{0}, 1, 0},
        {{5}, 1, 0}, /* positive is no error */
        {{-EIO}, 1, -EIO},
        {{-EIO, 0}, 2, -EIO},
        {{-EIO, 0, -EDOM}, 3, -EIO},
        {{0, -EDOM, -EIO}, 3, -EDOM},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int results[3], expected = rows[i].expected;
        struct rv_group *group;
        struct rv_context *ctx;
        struct rv_cause cause;

        memcpy(results, rows[i].results, sizeof(results));
        assert_int_equal(rv_group_create(bg, &group), 0);
        rv_group_set_limit(group, 1);
        ctx = rv_context_ref(rv_group_context(group));
        for (int j = 0; j < rows[i].count; j++) {
            int r = rv_group_go(group, give_back, &results[j]);

            /* After an error a start may be refused with it. */
            assert_true(r == 0 || (expected != 0 && r == expected));
        }
        assert_int_equal(rv_group_wait(group), expected);
        rv_group_destroy(group);
        assert_string_equal(rv_error_text(expected), "");
        /* Its context is done, whatever came out. */
        assert_int_equal(rv_context_cause(ctx, &cause), expected ? expected : -ECANCELED);
        if (expected == 0)
            assert_string_equal(cause.text, "the group has ended");
        rv_context_unref(ctx);
    }
}

static void test_tries_up_to_the_limit(void **state)
{
    struct rv_group *group;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    rv_group_set_limit(group, 42);
    for (int i = 0; i < 42; i++) {
        assert_int_equal(rv_group_try_go(group, until_released, NULL), 0);
        /* One that was accepted is taken up before the next one is tried. */
        wait_value(&total, i + 1);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(rv_group_try_go(group, until_released, NULL), -EAGAIN);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    assert_int_equal(total, 42);
    assert_int_equal(peak, 42);
}

/* An error of one's own context is not the group's. */
static void test_a_cancelled_parent_is_no_error_by_itself(void **state)
{
    struct rv_group *group;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int zero = 0;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    assert_int_equal(rv_group_create(ctx, &group), 0);
    assert_int_equal(rv_group_go(group, give_back, &zero), 0);
    rv_context_cancel(cancel, -ESHUTDOWN, "the end");
    assert_int_equal(rv_group_go(group, give_back, &zero), -ESHUTDOWN);
    assert_string_equal(rv_error_text(-ESHUTDOWN), "the end");
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    rv_context_unref(ctx);
}

static int go_below(struct rv_context *ctx, void *arg)
{
    struct rv_group *group = NULL;
    int r = rv_group_create(ctx, &group);

    for (int i = 0; r == 0 && i < 5; i++)
        r = rv_group_go(group, brief, NULL);
    (void)arg;
    if (r == 0)
        r = rv_group_wait(group);
    rv_group_destroy(group);
    return r;
}

static void test_groups_within_groups(void **state)
{
    struct rv_group *group;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rv_group_go(group, go_below, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    assert_int_equal(total, 25);
}

/* A function adds to its own group. */
static int go_on(struct rv_context *ctx, void *arg)
{
    struct rv_group *group = arg;

    (void)ctx;
    return atomic_fetch_add(&total, 1) < 20 ? rv_group_go(group, go_on, group) : 0;
}

static void test_a_function_adds_to_its_group(void **state)
{
    struct rv_group *group;
    (void)state;

    reset();
    assert_int_equal(rv_group_create(bg, &group), 0);
    rv_group_set_limit(group, 1);
    assert_int_equal(rv_group_go(group, go_on, group), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    assert_int_equal(total, 21);
}

/* The writes of each function are seen after the wait: TSan watches. */
static int write_own(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    *(int *)arg = 1;
    return 0;
}

static void test_the_wait_sees_what_was_written(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct rv_group *group;
        int written[16] = {0};

        assert_int_equal(rv_group_create(bg, &group), 0);
        rv_group_set_limit(group, round % 4);
        for (int i = 0; i < 16; i++)
            assert_int_equal(rv_group_go(group, write_own, &written[i]), 0);
        assert_int_equal(rv_group_wait(group), 0);
        rv_group_destroy(group);
        for (int i = 0; i < 16; i++)
            assert_int_equal(written[i], 1);
    }
}

static void test_without_a_thread(void **state)
{
    struct rv_group *busy, *group;
    (void)state;

    reset();
    limit_threads(1);
    assert_int_equal(rv_group_create(bg, &busy), 0);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(busy, until_released, NULL), 0);
    assert_int_equal(rv_group_go(group, brief, NULL), -EAGAIN);
    assert_int_equal(rv_group_try_go(group, brief, NULL), -EAGAIN);
    /* One that has a thread waits for it to be free, and in vain. */
    assert_int_equal(rv_group_go(busy, brief, NULL), -EAGAIN);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_group_go(busy, brief, NULL), 0);
    assert_int_equal(rv_group_wait(busy), 0);
    rv_group_destroy(busy);
    assert_int_equal(total, 2);
    assert_int_equal(rv_group_go(group, brief, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
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
        cmocka_unit_test(test_the_first_error_of_a_row),
        cmocka_unit_test(test_tries_up_to_the_limit),
        cmocka_unit_test(test_a_cancelled_parent_is_no_error_by_itself),
        cmocka_unit_test(test_groups_within_groups),
        cmocka_unit_test(test_a_function_adds_to_its_group),
        cmocka_unit_test(test_the_wait_sees_what_was_written),
        cmocka_unit_test(test_without_a_thread),
    };

    return cmocka_run_group_tests_name("group errors", tests, setup, NULL);
}
