/* SPDX-License-Identifier: MIT */
/* Weighted semaphores: never more than there is, first come first served, nobody left behind. */
#include <reeve/semaphore.h>
#include <reeve/sleep.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/support/test.h"

static struct rv_context *bg;

struct acquire {
    struct rv_context *ctx;
    struct rv_semaphore *semaphore;
    uint64_t weight;
    struct rv_cancel *cancel;
};

static int call_acquire(void *arg)
{
    struct acquire *a = arg;

    return rv_semaphore_acquire(a->ctx, a->semaphore, a->weight);
}

static struct rv_semaphore *make(uint64_t size)
{
    struct rv_semaphore *semaphore;

    assert_int_equal(rv_semaphore_create(size, &semaphore), 0);
    return semaphore;
}

static void test_tries(void **state)
{
    struct rv_semaphore *semaphore = make(2);
    (void)state;

    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 1), 0);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), 0);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), -EAGAIN);
    rv_semaphore_release(semaphore, 2);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), 0);
    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 1), 0);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), -EAGAIN);
    /* Nothing can always be had. */
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 0), 0);
    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 0), 0);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 3), -EINVAL);
    rv_semaphore_release(semaphore, 2);
    rv_semaphore_destroy(semaphore);
    rv_semaphore_destroy(NULL);
}

static void test_a_deadline_ends_the_wait(void **state)
{
    struct rv_semaphore *semaphore = make(1);
    struct rv_context *ctx;
    (void)state;

    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 1), 0);
    assert_int_equal(rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL), 0);
    assert_int_equal(rv_semaphore_acquire(ctx, semaphore, 1), -ETIMEDOUT);
    /* And a context that is done gets nothing, even where there is room. */
    rv_semaphore_release(semaphore, 1);
    assert_int_equal(rv_semaphore_acquire(ctx, semaphore, 1), -ETIMEDOUT);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), 0);
    rv_semaphore_release(semaphore, 1);
    rv_context_unref(ctx);
    rv_semaphore_destroy(semaphore);
}

/* More than its size can never be had: that neither waits nor keeps others from having theirs. */
static void test_too_much_is_in_nobodys_way(void **state)
{
    struct rv_semaphore *semaphore = make(2);
    (void)state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(rv_semaphore_acquire(bg, semaphore, 3), -EINVAL);
        assert_int_equal(rv_semaphore_try_acquire(semaphore, 2), 0);
        rv_semaphore_release(semaphore, 2);
    }
    rv_semaphore_destroy(semaphore);
}

static void test_first_come_first_served(void **state)
{
    static const uint64_t weights[] = {3, 1, 2, 1};
    struct rv_semaphore *semaphore = make(3);
    struct acquire acquires[4];
    struct caller callers[4];
    (void)state;

    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 3), 0);
    for (int i = 0; i < 4; i++) {
        acquires[i] = (struct acquire){bg, semaphore, weights[i]};
        caller_start(&callers[i], call_acquire, &acquires[i]);
        caller_wait_blocked(&callers[i]);
    }
    /* One could serve the second and fourth, but the first is in front of them. */
    rv_semaphore_release(semaphore, 2);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 1), -EAGAIN);
    rv_semaphore_release(semaphore, 1);
    assert_int_equal(caller_join(&callers[0]), 0);
    rv_semaphore_release(semaphore, 3);
    /* The next two fit together; the last one waits. */
    assert_int_equal(caller_join(&callers[1]), 0);
    assert_int_equal(caller_join(&callers[2]), 0);
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 0), -EAGAIN);
    rv_semaphore_release(semaphore, 1);
    assert_int_equal(caller_join(&callers[3]), 0);
    rv_semaphore_release(semaphore, 3);
    rv_semaphore_destroy(semaphore);
}

static void test_giving_up_in_front_lets_the_rest_pass(void **state)
{
    struct rv_semaphore *semaphore = make(10);
    struct acquire large = {.semaphore = semaphore, .weight = 10};
    struct acquire small = {.ctx = bg, .semaphore = semaphore, .weight = 1};
    struct caller first, rest[3];
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &large.ctx, &large.cancel), 0);
    assert_int_equal(rv_semaphore_acquire(bg, semaphore, 1), 0);
    caller_start(&first, call_acquire, &large);
    caller_wait_blocked(&first);
    for (int i = 0; i < 3; i++) {
        caller_start(&rest[i], call_acquire, &small);
        caller_wait_blocked(&rest[i]);
    }
    rv_context_cancel(large.cancel, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&first), -ESHUTDOWN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(caller_join(&rest[i]), 0);
    rv_semaphore_release(semaphore, 4);
    rv_context_unref(large.ctx);
    rv_semaphore_destroy(semaphore);
}

/* Small ones come and go all the time; a large one is served all the same. */
struct traffic {
    struct rv_semaphore *semaphore;
    _Atomic int stop;
};

static int come_and_go(void *arg)
{
    struct traffic *traffic = arg;
    int r = 0;

    while (r == 0 && !atomic_load(&traffic->stop)) {
        r = rv_semaphore_acquire(bg, traffic->semaphore, 1);
        sched_yield();
        if (r == 0)
            rv_semaphore_release(traffic->semaphore, 1);
    }
    return r;
}

static void test_a_large_one_does_not_starve(void **state)
{
    struct traffic traffic = {.semaphore = make(3)};
    struct caller callers[4];
    (void)state;

    for (int i = 0; i < 4; i++)
        caller_start(&callers[i], come_and_go, &traffic);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(rv_semaphore_acquire(bg, traffic.semaphore, 3), 0);
        rv_semaphore_release(traffic.semaphore, 3);
    }
    atomic_store(&traffic.stop, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    rv_semaphore_destroy(traffic.semaphore);
}

/* The units that are out never exceed the size, and all come back. */
struct hammer {
    struct rv_semaphore *semaphore;
    _Atomic int *out;
    int weight;
};

static int hammer(void *arg)
{
    struct hammer *h = arg;
    int worst = 0;

    for (int i = 0; i < 2000; i++) {
        int now;

        if (rv_semaphore_acquire(bg, h->semaphore, (uint64_t)h->weight) != 0)
            return -1;
        now = atomic_fetch_add(h->out, h->weight) + h->weight;
        worst = now > worst ? now : worst;
        atomic_fetch_sub(h->out, h->weight);
        rv_semaphore_release(h->semaphore, (uint64_t)h->weight);
    }
    return worst;
}

static void test_never_more_than_there_is(void **state)
{
    struct rv_semaphore *semaphore = make(4);
    struct hammer hammers[5];
    struct caller callers[5];
    _Atomic int out = 0;
    (void)state;

    for (int i = 0; i < 5; i++) {
        hammers[i] = (struct hammer){semaphore, &out, i};
        caller_start(&callers[i], hammer, &hammers[i]);
    }
    for (int i = 0; i < 5; i++) {
        int worst = caller_join(&callers[i]);

        assert_true(worst >= 0 && worst <= 4);
    }
    assert_int_equal(rv_semaphore_try_acquire(semaphore, 4), 0);
    rv_semaphore_release(semaphore, 4);
    rv_semaphore_destroy(semaphore);
}

static void test_releasing_too_much_ends_the_process(void **state)
{
    int status;
    pid_t pid;
    (void)state;

    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rv_semaphore *semaphore;

        signal(SIGABRT, SIG_DFL);
        if (rv_semaphore_create(1, &semaphore) == 0)
            rv_semaphore_release(semaphore, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
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
        /* The first one forks, and so comes before there are threads. */
        cmocka_unit_test(test_releasing_too_much_ends_the_process),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_a_deadline_ends_the_wait),
        cmocka_unit_test(test_too_much_is_in_nobodys_way),
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_giving_up_in_front_lets_the_rest_pass),
        cmocka_unit_test(test_a_large_one_does_not_starve),
        cmocka_unit_test(test_never_more_than_there_is),
    };

    return cmocka_run_group_tests_name("semaphore", tests, setup, NULL);
}
