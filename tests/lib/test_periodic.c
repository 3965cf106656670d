/* SPDX-License-Identifier: MIT */
/* Periodic functions: on a grid, and where their owner decides when they run. */
#include <reeve/runtime.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include "tests/support/test.h"

static struct rv_context *bg;

static int count_to_three(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return ++*(int *)arg == 3 ? rv_fail(-EDOM, "three") : 0;
}

static void test_periodic_run(void **state)
{
    int count = 0;
    (void)state;

    assert_int_equal(rv_periodic_run(bg, 100 * RV_MICROSECOND, count_to_three, &count), -EDOM);
    assert_int_equal(count, 3);
    assert_string_equal(rv_error_text(-EDOM), "three: Numerical argument out of domain");
}

static _Atomic int periodic_runs, periodic_ends, periodic_overlaps, periodic_inside, periodic_code;

static int periodic_fn(struct rv_context *ctx, void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&periodic_inside, 1) != 0)
        atomic_fetch_add(&periodic_overlaps, 1);
    (void)!rv_sleep(ctx, 200 * RV_MICROSECOND);
    atomic_fetch_sub(&periodic_inside, 1);
    atomic_fetch_add(&periodic_runs, 1);
    return 0;
}

static void periodic_ended(int code, const char *text, void *arg)
{
    (void)text;
    (void)arg;
    atomic_store(&periodic_code, code);
    atomic_fetch_add(&periodic_ends, 1);
}

static void test_periodic_start(void **state)
{
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = 100 * RV_MICROSECOND, .ended = periodic_ended};
    struct rv_periodic *periodic;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    assert_int_equal(rv_periodic_create(ctx, &spec, periodic_fn, NULL, &periodic), 0);
    while (atomic_load(&periodic_runs) < 20)
        sched_yield();
    rv_context_cancel(cancel, -ESHUTDOWN, NULL);
    wait_value(&periodic_ends, 1);
    assert_int_equal(periodic_code, -ESHUTDOWN);
    assert_int_equal(periodic_overlaps, 0);
    assert_int_equal(rv_periodic_destroy(periodic), -ESHUTDOWN);
    rv_context_unref(ctx);
}

static _Atomic int mass_runs;

static int mass_fn(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_fetch_add(&mass_runs, 1);
    return 0;
}

static void test_periodics_need_no_threads(void **state)
{
    enum { COUNT = 5000 };
    static struct rv_periodic *periodics[COUNT];
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR};
    struct rv_runtime_stats stats;
    (void)state;

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodics[i]), 0);
    /* After its first run each waits for its timer again. */
    do {
        sched_yield();
        rv_runtime_stats(&stats);
    } while (atomic_load(&mass_runs) < COUNT || stats.timers < COUNT);
    assert_true(stats.threads < 64);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(rv_periodic_destroy(periodics[i]), -ECANCELED);
}

static int stop_itself(struct rv_context *ctx, void *arg)
{
    struct rv_periodic *periodic;

    while (!(periodic = atomic_load((_Atomic(struct rv_periodic *) *)arg)))
        sched_yield();
    (void)ctx;
    rv_periodic_destroy(periodic);
    return 0;
}

static void test_periodic_may_stop_itself(void **state)
{
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = RV_MILLISECOND, .ended = periodic_ended};
    _Atomic(struct rv_periodic *) slot = NULL;
    struct rv_periodic *periodic;
    (void)state;

    atomic_store(&periodic_ends, 0);
    assert_int_equal(rv_periodic_create(bg, &spec, stop_itself, &slot, &periodic), 0);
    atomic_store(&slot, periodic);
    wait_value(&periodic_ends, 1);
}

/* The first run may come before the start has returned, and find what it stops all the same. */
struct brief_life {
    struct rv_periodic *periodic;
    _Atomic int ends;
};

static int stop_at_once(struct rv_context *ctx, void *arg)
{
    struct brief_life *life = arg;

    (void)ctx;
    return rv_periodic_destroy(life->periodic);
}

static void life_ended(int code, const char *text, void *arg)
{
    (void)code;
    (void)text;
    atomic_fetch_add(&((struct brief_life *)arg)->ends, 1);
}

static void test_the_first_run_may_stop_it(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR, .ended = life_ended};
    struct rv_context *ctx;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, NULL), 0);
    for (int i = 0; i < 300; i++) {
        struct brief_life life = {0};

        assert_int_equal(rv_periodic_create(ctx, &spec, stop_at_once, &life, &life.periodic), 0);
        wait_value(&life.ends, 1);
    }
    rv_context_unref(ctx);
}

/* A schedule that the test moves about. */
struct plan {
    _Atomic int64_t due;
    _Atomic int asked;
    _Atomic int runs;
};

static rv_time plan_next(void *arg)
{
    struct plan *plan = arg;

    atomic_fetch_add(&plan->asked, 1);
    return atomic_load(&plan->due);
}

static int plan_run(struct rv_context *ctx, void *arg)
{
    struct plan *plan = arg;

    (void)ctx;
    /* The next time is decided before the run returns. */
    atomic_store(&plan->due, RV_NEVER);
    atomic_fetch_add(&plan->runs, 1);
    return 0;
}

static void test_next_decides(void **state)
{
    struct plan plan = {.due = RV_NEVER};
    struct rv_periodic_spec spec = {.size = sizeof(spec), .next = plan_next};
    struct rv_periodic *periodic;
    (void)state;

    assert_int_equal(rv_periodic_create(bg, &spec, plan_run, &plan, &periodic), 0);
    assert_int_equal(plan.asked, 1);
    rv_periodic_reschedule(periodic);
    assert_int_equal(plan.asked, 2);
    assert_int_equal(plan.runs, 0);
    /* A time that has passed is due at once. */
    for (int i = 1; i <= 20; i++) {
        atomic_store(&plan.due, 1);
        rv_periodic_reschedule(periodic);
        wait_value(&plan.runs, i);
        wait_value(&plan.asked, 2 + 2 * i);
    }
    assert_int_equal(rv_periodic_destroy(periodic), -ECANCELED);
    assert_int_equal(plan.runs, 20);
}

static _Atomic bool stop_poking;

static int poke(void *arg)
{
    while (!atomic_load(&stop_poking))
        rv_periodic_reschedule(arg);
    return 0;
}

/* The next point of a grid: asking again must not put it off. */
static rv_time soon(void *arg)
{
    (void)arg;
    return (rv_now() / (50 * RV_MICROSECOND) + 1) * 50 * RV_MICROSECOND;
}

/* Asking again at every moment: no run is lost for ever, none doubled, and the end is clean. */
static void test_reschedule_races_with_runs(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .next = soon};
    struct rv_periodic *periodic;
    struct caller pokers[2];
    int before;
    (void)state;

    atomic_store(&periodic_overlaps, 0);
    before = atomic_load(&periodic_runs);
    assert_int_equal(rv_periodic_create(bg, &spec, periodic_fn, NULL, &periodic), 0);
    for (int i = 0; i < 2; i++)
        caller_start(&pokers[i], poke, periodic);
    while (atomic_load(&periodic_runs) < before + 20)
        sched_yield();
    atomic_store(&stop_poking, true);
    for (int i = 0; i < 2; i++)
        caller_join(&pokers[i]);
    assert_int_equal(rv_periodic_destroy(periodic), -ECANCELED);
    assert_int_equal(periodic_overlaps, 0);
}

static void test_specs(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec)};
    struct rv_periodic *periodic;
    (void)state;

    assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodic), -EINVAL);
    spec.interval = RV_HOUR;
    spec.delay = -1;
    assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodic), -EINVAL);
    spec.delay = 0;
    spec.size = sizeof(spec) + 1;
    assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodic), -EINVAL);
    spec.size = 4;
    assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodic), -EINVAL);
    /* As a program that was built before there was a next: whatever is there is not read. */
    spec.size = offsetof(struct rv_periodic_spec, next);
    spec.next = (rv_time(*)(void *))(uintptr_t)1;
    assert_int_equal(rv_periodic_create(bg, &spec, mass_fn, NULL, &periodic), 0);
    assert_int_equal(rv_periodic_destroy(periodic), -ECANCELED);
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
        cmocka_unit_test(test_periodic_run),
        cmocka_unit_test(test_periodic_start),
        cmocka_unit_test(test_periodics_need_no_threads),
        cmocka_unit_test(test_periodic_may_stop_itself),
        cmocka_unit_test(test_the_first_run_may_stop_it),
        cmocka_unit_test(test_next_decides),
        cmocka_unit_test(test_reschedule_races_with_runs),
        cmocka_unit_test(test_specs),
    };

    return cmocka_run_group_tests_name("periodic", tests, setup, NULL);
}
