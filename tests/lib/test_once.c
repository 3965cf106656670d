/* SPDX-License-Identifier: MIT */
/* Once: exactly one run, one result for all, and no run that outlives its record. */
#include <reeve/once.h>
#include <reeve/sleep.h>

#include "tests/lib/threads.h"

static struct rv_context *bg;
static _Atomic int runs, inside, ended, release_run;

static void reset(void)
{
    atomic_store(&runs, 0);
    atomic_store(&inside, 0);
    atomic_store(&ended, 0);
    atomic_store(&release_run, 0);
}

/* Many callers at once ---------------------------------------------------- */

struct shared {
    struct rv_once once;
    int plain; /* written by the run, read by whoever has returned */
    _Atomic int go;
};

static int write_plain(struct rv_context *ctx, void *arg)
{
    struct shared *shared = arg;

    (void)ctx;
    shared->plain++;
    return 0;
}

static int call_shared(void *arg)
{
    struct shared *shared = arg;
    int r;

    while (!atomic_load(&shared->go))
        sched_yield();
    r = rv_once_do(bg, &shared->once, write_plain, shared);
    return r == 0 ? shared->plain : r;
}

static void test_all_see_the_one_run(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct shared shared = {.once = RV_ONCE_INIT};
        struct caller callers[4];

        for (int i = 0; i < 4; i++)
            caller_start(&callers[i], call_shared, &shared);
        atomic_store(&shared.go, 1);
        for (int i = 0; i < 4; i++)
            assert_int_equal(caller_join(&callers[i]), 1);
        rv_once_destroy(&shared.once);
    }
}

/* Results ----------------------------------------------------------------- */

static int fail_run(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return rv_fail(-EIO, "run %d", atomic_fetch_add(&runs, 1) + 1);
}

static int fail_value(struct rv_context *ctx, void *arg, void **ret_value)
{
    *ret_value = arg;
    return fail_run(ctx, arg);
}

static void test_an_error_is_kept(void **state)
{
    struct rv_once once = RV_ONCE_INIT;
    void *value = &once;
    (void)state;

    reset();
    for (int i = 0; i < 3; i++) {
        rv_error_clear();
        assert_int_equal(rv_once_do(bg, &once, fail_run, NULL), -EIO);
        assert_string_equal(rv_error_text(-EIO), "run 1: Input/output error");
    }
    rv_once_destroy(&once);
    /* Finished, it is ready to run again. A value that comes with an error is not given out. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rv_once_value(bg, &once, fail_value, NULL, &value), -EIO);
        assert_ptr_equal(value, &once);
    }
    assert_int_equal(runs, 2);
    rv_once_destroy(&once);
    rv_once_destroy(&once);
}

static const char key;

static int look_around(struct rv_context *ctx, void *arg)
{
    rv_time deadline;

    if (rv_context_value(ctx, &key) != arg)
        return -1;
    return rv_context_deadline(ctx, &deadline) ? -2 : rv_context_err(ctx);
}

static void test_the_run_has_the_callers_values_only(void **state)
{
    struct rv_once once = RV_ONCE_INIT;
    struct rv_context *valued, *timed;
    struct rv_cancel *cancel_timed;
    (void)state;

    assert_int_equal(rv_context_with_value(bg, &key, &once, &valued, NULL), 0);
    assert_int_equal(rv_context_with_timeout(valued, RV_HOUR, &timed, &cancel_timed), 0);
    assert_int_equal(rv_once_do(timed, &once, look_around, &once), 0);
    rv_context_cancel(cancel_timed, 0, NULL);
    /* A function that has run needs no more waiting, so a context that is done does not matter. */
    assert_int_equal(rv_once_do(timed, &once, look_around, &once), 0);
    rv_once_destroy(&once);
    assert_int_equal(rv_once_do(timed, &once, look_around, &once), -ECANCELED);
    assert_null(once.state);
    rv_context_unref(timed);
    rv_context_unref(valued);
}

static void test_it_keeps_no_context(void **state)
{
    struct rv_runtime_stats before, after;
    struct rv_once once = RV_ONCE_INIT;
    struct rv_context *timed;
    (void)state;

    reset();
    rv_runtime_stats(&before);
    assert_int_equal(rv_context_with_timeout(bg, RV_HOUR, &timed, NULL), 0);
    assert_int_equal(rv_once_do(timed, &once, fail_run, NULL), -EIO);
    rv_context_unref(timed);
    rv_runtime_stats(&after);
    assert_true(after.timers <= before.timers);
    rv_once_destroy(&once);
}

/* Re-entry ---------------------------------------------------------------- */

static struct rv_once outer = RV_ONCE_INIT, inner = RV_ONCE_INIT;

static int back_to_outer(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_once_do(ctx, &outer, back_to_outer, NULL);
}

static int through_inner(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_once_do(ctx, &inner, back_to_outer, NULL);
}

static void test_reentry_is_seen_through_another_once(void **state)
{
    (void)state;
    assert_int_equal(rv_once_do(bg, &outer, through_inner, NULL), -EDEADLK);
    rv_once_destroy(&outer);
    rv_once_destroy(&inner);
}

/* Finishing --------------------------------------------------------------- */

static int run_until_cancelled(struct rv_context *ctx, void *arg)
{
    (void)arg;
    atomic_fetch_add(&inside, 1);
    rv_context_wait(ctx);
    while (!atomic_load(&release_run))
        sched_yield();
    atomic_fetch_add(&ended, 1);
    return 0;
}

struct left {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_once once;
};

static int call_left(void *arg)
{
    struct left *left = arg;

    return rv_once_do(left->ctx, &left->once, run_until_cancelled, NULL);
}

static int call_finish(void *arg)
{
    struct left *left = arg;

    rv_once_destroy(&left->once);
    return atomic_load(&ended);
}

static void test_finish_waits_for_a_run_that_was_left(void **state)
{
    struct left left = {.once = RV_ONCE_INIT};
    struct caller caller, finisher;
    (void)state;

    reset();
    assert_int_equal(rv_context_with_cancel(bg, &left.ctx, &left.cancel), 0);
    caller_start(&caller, call_left, &left);
    wait_value(&inside, 1);
    rv_context_cancel(left.cancel, 0, NULL);
    assert_int_equal(caller_join(&caller), -ECANCELED);
    caller_start(&finisher, call_finish, &left);
    caller_wait_blocked(&finisher);
    atomic_store(&release_run, 1);
    assert_int_equal(caller_join(&finisher), 1);
    rv_context_unref(left.ctx);
}

/* Without a thread to be had ---------------------------------------------- */

static void test_it_runs_on_the_caller_when_there_is_no_thread(void **state)
{
    struct rv_once once = RV_ONCE_INIT;
    struct left left = {.once = RV_ONCE_INIT};
    struct caller caller;
    (void)state;

    reset();
    limit_threads(1);
    assert_int_equal(rv_context_with_cancel(bg, &left.ctx, &left.cancel), 0);
    caller_start(&caller, call_left, &left);
    wait_value(&inside, 1);
    /* The one thread is taken. */
    assert_int_equal(rv_once_do(bg, &once, fail_run, NULL), -EIO);
    assert_int_equal(rv_once_do(bg, &outer, through_inner, NULL), -EDEADLK);
    rv_context_cancel(left.cancel, 0, NULL);
    atomic_store(&release_run, 1);
    caller_join(&caller);
    rv_once_destroy(&left.once);
    rv_once_destroy(&once);
    rv_once_destroy(&inner);
    rv_once_destroy(&outer);
    limit_threads(0);
    rv_context_unref(left.ctx);
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
        cmocka_unit_test(test_all_see_the_one_run),
        cmocka_unit_test(test_an_error_is_kept),
        cmocka_unit_test(test_the_run_has_the_callers_values_only),
        cmocka_unit_test(test_it_keeps_no_context),
        cmocka_unit_test(test_reentry_is_seen_through_another_once),
        cmocka_unit_test(test_finish_waits_for_a_run_that_was_left),
        cmocka_unit_test(test_it_runs_on_the_caller_when_there_is_no_thread),
    };

    return cmocka_run_group_tests_name("once", tests, setup, NULL);
}
