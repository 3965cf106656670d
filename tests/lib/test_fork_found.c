/* SPDX-License-Identifier: MIT */
/*
 * A child of fork() begins anew where other threads of its parent were at something. The runtime's
 * objects are linked into this program.
 */
#include <reeve/sleep.h>
#include <signal.h>

#include "lib/child_status.h"
#include "lib/context.h"
#include "tests/lib/forking.h"

static struct rv_context *bg, *signalled;
static _Atomic int looking;

static int find_no_waiter(void)
{
    return list_is_empty(&bg->hooks) ? rv_sleep(bg, 1) : 1;
}

static int sleep_long(void *arg)
{
    return rv_poll(bg, *(int *)arg, POLLIN, RV_FOREVER) > 0 ? 0 : 1;
}

/* It may give their stacks to threads of its own. */
static void test_waiters_stay_behind(void **state)
{
    struct caller callers[3];
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < 3; i++) {
        caller_start(&callers[i], sleep_long, &ends[0]);
        caller_wait_blocked(&callers[i]);
    }
    assert_int_equal(status_of(find_no_waiter), 0);
    assert_int_equal(write(ends[1], "", 1), 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    close(ends[0]);
    close(ends[1]);
}

static bool is_ignored(int signal)
{
    struct sigaction action;

    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int find_ignored_children(void)
{
    return is_ignored(SIGCHLD) ? 0 : 1;
}

/* One of a command that its parent runs. */
static void test_children_are_ignored_again(void **state)
{
    (void)state;

    signal(SIGCHLD, SIG_IGN);
    child_status_keep();
    assert_false(is_ignored(SIGCHLD));
    assert_int_equal(status_of(find_ignored_children), 0);
    assert_false(is_ignored(SIGCHLD));
    child_status_release();
    assert_true(is_ignored(SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
}

static int ignore_and_end(void)
{
    signal(SIGUSR1, SIG_IGN);
    rv_context_unref(signalled);
    return is_ignored(SIGUSR1) ? 0 : 1;
}

static void test_what_the_child_sets_stays(void **state)
{
    static const int list[] = {SIGUSR1, 0};
    (void)state;

    assert_int_equal(rv_context_with_signals(bg, list, &signalled, NULL), 0);
    assert_int_equal(status_of(ignore_and_end), 0);
    rv_context_unref(signalled);
}

static bool look_until_forked(const void *arg)
{
    (void)arg;
    atomic_store(&looking, 1);
    wait_value(&forked, 1);
    return true;
}

static bool is_ready(const void *arg)
{
    (void)arg;
    return true;
}

static int look_for(void *arg)
{
    struct hope hope = {0};

    return hope_spin(&hope, 1, arg ? look_until_forked : is_ready, NULL) ? 0 : 1;
}

static int look_in_child(void)
{
    return look_for(NULL);
}

/* A thread that looks takes a processor, and one is left to others: the child's are not taken. */
static void test_nobody_looks_for_long(void **state)
{
    struct caller callers[8];
    size_t count = processor_count() - 1;
    (void)state;

    if (count == 0 || count > 8)
        skip();
    atomic_store(&forked, 0);
    for (size_t i = 0; i < count; i++) {
        atomic_store(&looking, 0);
        caller_start(&callers[i], look_for, &looking);
        wait_value(&looking, 1);
    }
    assert_int_equal(status_of(look_in_child), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
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
        cmocka_unit_test(test_waiters_stay_behind),
        cmocka_unit_test(test_children_are_ignored_again),
        cmocka_unit_test(test_what_the_child_sets_stays),
        cmocka_unit_test(test_nobody_looks_for_long),
    };

    return cmocka_run_group_tests_name("fork_found", tests, setup, NULL);
}
