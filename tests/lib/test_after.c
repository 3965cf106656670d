/* SPDX-License-Identifier: MIT */
/* Functions that run after a context's end, and what else hangs on that end. */
#include <poll.h>
#include <reeve/context.h>
#include <reeve/sleep.h>

#include "tests/support/test.h"

static struct rv_context *bg;

struct note {
    _Atomic int ran, go_on;
};

static void run_note(void *arg)
{
    struct note *note = arg;

    atomic_fetch_add(&note->ran, 1);
    while (!atomic_load(&note->go_on))
        sched_yield();
}

static struct rv_context *child_of(struct rv_context *parent, struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx;

    assert_int_equal(rv_context_with_cancel(parent, &ctx, ret_cancel), 0);
    return ctx;
}

static struct rv_after *after(struct rv_context *ctx, struct note *note)
{
    struct rv_after *registered;

    assert_int_equal(rv_after_create(ctx, run_note, note, &registered), 0);
    return registered;
}

static void test_not_before_and_once_after(void **state)
{
    struct rv_cancel *cancel_root, *cancel;
    struct rv_context *root = child_of(bg, &cancel_root), *ctx = child_of(root, &cancel);
    struct note note = {.go_on = 1};
    struct rv_after *registered = after(ctx, &note);
    (void)state;

    assert_int_equal(rv_sleep(bg, RV_MILLISECOND), 0);
    assert_int_equal(note.ran, 0);
    rv_context_cancel(cancel_root, 0, NULL);
    wait_value(&note.ran, 1);
    rv_context_cancel(cancel, 0, NULL);
    rv_context_cancel(cancel_root, 0, NULL);
    assert_false(rv_after_destroy(registered));
    assert_int_equal(note.ran, 1);
    rv_context_unref(ctx);
    rv_context_unref(root);
}

static void test_after_a_deadline(void **state)
{
    struct note note = {.go_on = 1};
    struct rv_after *registered;
    struct rv_context *ctx;
    (void)state;

    assert_int_equal(rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL), 0);
    registered = after(ctx, &note);
    wait_value(&note.ran, 1);
    assert_false(rv_after_destroy(registered));
    rv_context_unref(ctx);
}

static void test_stopped_it_never_runs(void **state)
{
    struct rv_cancel *cancel;
    struct rv_context *ctx = child_of(bg, &cancel);
    struct note note = {.go_on = 1}, other = {.go_on = 1};
    struct rv_after *stopped = after(ctx, &note), *kept = after(ctx, &other);
    (void)state;

    assert_true(rv_after_destroy(stopped));
    rv_context_cancel(cancel, 0, NULL);
    wait_value(&other.ran, 1);
    assert_false(rv_after_destroy(kept));
    assert_int_equal(note.ran, 0);
    rv_context_unref(ctx);
}

static void test_the_cancel_does_not_wait_for_it(void **state)
{
    struct rv_cancel *cancel;
    struct rv_context *ctx = child_of(bg, &cancel);
    struct note notes[8] = {0};
    struct rv_after *registered[8];
    (void)state;

    for (int i = 0; i < 8; i++)
        registered[i] = after(ctx, &notes[i]);
    rv_context_cancel(cancel, 0, NULL);
    /* All of them run beside each other: none waits for the end of another. */
    for (int i = 0; i < 8; i++)
        wait_value(&notes[i].ran, 1);
    for (int i = 0; i < 8; i++)
        atomic_store(&notes[i].go_on, 1);
    for (int i = 0; i < 8; i++)
        assert_false(rv_after_destroy(registered[i]));
    rv_context_unref(ctx);
}

/* It holds the context: giving back one's own reference neither frees it nor makes it done. */
static void test_it_keeps_its_context(void **state)
{
    struct rv_cancel *cancel_root;
    struct rv_context *root = child_of(bg, &cancel_root), *ctx = child_of(root, NULL);
    struct note note = {.go_on = 1};
    struct rv_after *registered = after(ctx, &note);
    (void)state;

    rv_context_unref(ctx);
    rv_context_cancel(cancel_root, 0, NULL);
    wait_value(&note.ran, 1);
    assert_false(rv_after_destroy(registered));
    rv_context_unref(root);
}

struct race {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    _Atomic int go;
};

static int cancel_on_go(void *arg)
{
    struct race *race = arg;

    while (!atomic_load(&race->go))
        sched_yield();
    rv_context_cancel(race->cancel, 0, NULL);
    return 0;
}

/* Stop's answer is the truth: true and it never ran, false and it has run to its end. */
static void test_stop_against_cancel(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct race race = {0};
        struct note note = {.go_on = 1};
        struct rv_after *registered;
        struct caller caller;
        bool never;

        race.ctx = child_of(bg, &race.cancel);
        registered = after(race.ctx, &note);
        caller_start(&caller, cancel_on_go, &race);
        atomic_store(&race.go, 1);
        never = rv_after_destroy(registered);
        assert_int_equal(note.ran, never ? 0 : 1);
        caller_join(&caller);
        assert_int_equal(note.ran, never ? 0 : 1);
        rv_context_unref(race.ctx);
    }
}

/* A descriptor that is asked for while the cancel is under way becomes readable. */
static void test_fd_against_cancel(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct race race = {0};
        struct caller caller;
        struct pollfd fd;

        race.ctx = child_of(bg, &race.cancel);
        caller_start(&caller, cancel_on_go, &race);
        atomic_store(&race.go, 1);
        fd = (struct pollfd){.fd = rv_context_fd(race.ctx), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, -1), 1);
        assert_int_equal(rv_context_err(race.ctx), -ECANCELED);
        caller_join(&caller);
        rv_context_unref(race.ctx);
    }
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
        cmocka_unit_test(test_not_before_and_once_after),
        cmocka_unit_test(test_after_a_deadline),
        cmocka_unit_test(test_stopped_it_never_runs),
        cmocka_unit_test(test_the_cancel_does_not_wait_for_it),
        cmocka_unit_test(test_it_keeps_its_context),
        cmocka_unit_test(test_stop_against_cancel),
        cmocka_unit_test(test_fd_against_cancel),
    };

    return cmocka_run_group_tests_name("after", tests, setup, NULL);
}
