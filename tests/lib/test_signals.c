/* SPDX-License-Identifier: MIT */
/* Signals that arrive while their watcher is behind. */
#include <reeve/context.h>
#include <signal.h>

#include "tests/support/test.h"

/* A text that was read is kept back while it is set. */
static _Atomic int behind;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    ssize_t count = __real_read(fd, buffer, size);

    wait_value(&behind, 0);
    return count;
}

static struct rv_context *context_for(int signal)
{
    const int list[] = {signal, 0};
    struct rv_context *ctx;

    assert_int_equal(rv_context_with_signals(rv_context_background(), list, &ctx, NULL), 0);
    return ctx;
}

static void assert_ends(struct rv_context *ctx)
{
    assert_int_equal(rv_context_wait(ctx), -ECANCELED);
    rv_context_unref(ctx);
}

/* The first SIGTERM drains, a second one ends at once. */
static void test_one_is_not_taken_for_two(void **state)
{
    (void)state;

    for (int round = 0; round < rounds_of(2000); round++) {
        struct rv_context *first = context_for(SIGUSR1), *second, *other = context_for(SIGUSR2);

        kill(getpid(), SIGUSR1);
        rv_context_wait(first);
        second = context_for(SIGUSR1);
        /* Its end tells that nothing more comes of the first signal. */
        kill(getpid(), SIGUSR2);
        assert_ends(other);
        assert_int_equal(rv_context_err(second), 0);
        kill(getpid(), SIGUSR1);
        assert_ends(second);
        assert_ends(first);
    }
}

static void test_one_that_waits_to_be_read_ends_only_what_was_there(void **state)
{
    struct rv_context *before = context_for(SIGUSR1), *after, *other = context_for(SIGUSR2);
    (void)state;

    atomic_store(&behind, 1);
    kill(getpid(), SIGUSR1);
    after = context_for(SIGUSR1);
    kill(getpid(), SIGUSR2);
    atomic_store(&behind, 0);
    assert_ends(other);
    assert_ends(before);
    assert_int_equal(rv_context_err(after), 0);
    kill(getpid(), SIGUSR1);
    assert_ends(after);
}

/* More than a pipe holds, and one more, of another kind, for a context that is made after them. */
static void test_a_flood_hides_none(void **state)
{
    struct rv_context *flooded = context_for(SIGUSR1), *last;
    (void)state;

    atomic_store(&behind, 1);
    for (int i = 0; i < 10000; i++)
        kill(getpid(), SIGUSR1);
    last = context_for(SIGUSR2);
    kill(getpid(), SIGUSR2);
    atomic_store(&behind, 0);
    assert_ends(last);
    assert_ends(flooded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_not_taken_for_two),
        cmocka_unit_test(test_one_that_waits_to_be_read_ends_only_what_was_there),
        cmocka_unit_test(test_a_flood_hides_none),
    };

    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
