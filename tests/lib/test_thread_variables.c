/* SPDX-License-Identifier: MIT */
/* Beside a library whose variables of threads take most of a stack of the runtime, or more than all
 * of it. */
#include <reeve/group.h>
#include <signal.h>

#include "tests/support/test.h"

static __thread volatile char variables[VARIABLES_KIB * 1024];

static int use(struct rv_context *ctx, void *arg)
{
    volatile char own[160 * 1024];
    (void)ctx;
    (void)arg;

    for (size_t i = 0; i < sizeof(own); i += 1024)
        own[i] = 1;
    variables[0]++;
    return variables[0] == own[0] ? 0 : -EIO;
}

static void test_all_threads_start(void **state)
{
    static const int list[] = {SIGUSR1, 0};
    struct rv_context *bg = rv_context_background(), *ctx;
    struct rv_group *group;
    (void)state;

    assert_int_equal(rv_context_with_signals(bg, list, &ctx, NULL), 0);
    kill(getpid(), SIGUSR1);
    assert_int_equal(rv_context_wait(ctx), -ECANCELED);
    rv_context_unref(ctx);
    assert_int_equal(rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL), 0);
    assert_int_equal(rv_context_wait(ctx), -ETIMEDOUT);
    rv_context_unref(ctx);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, use, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_threads_start),
    };

    return cmocka_run_group_tests_name("thread variables", tests, NULL, NULL);
}
