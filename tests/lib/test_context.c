/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <reeve/context.h>
#include <reeve/error.h>
#include <reeve/runtime.h>
#include <reeve/sleep.h>
#include <signal.h>

#include "tests/support/test.h"

static struct rv_context *child_of(struct rv_context *parent, struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx;

    assert_int_equal(rv_context_with_cancel(parent, &ctx, ret_cancel), 0);
    return ctx;
}

static void test_background(void **state)
{
    struct rv_context *ctx = rv_context_background();
    rv_time deadline;
    (void)state;

    assert_int_equal(rv_context_err(ctx), 0);
    assert_false(rv_context_deadline(ctx, &deadline));
    assert_null(rv_context_value(ctx, "key"));
    rv_context_unref(rv_context_ref(ctx));
}

/* Every maker gives a handle, and takes none: nothing but the handle's holder, the parent and time
 * end a context. */
static void test_every_maker_gives_a_handle(void **state)
{
    static const int signals[] = {SIGUSR2, 0};
    static const struct rv_labels labels = {.task = "t"};
    static const char key;
    struct rv_context *bg = rv_context_background(), *contexts[7];
    struct rv_cancel *cancels[7];
    (void)state;

    for (int handles = 0; handles < 2; handles++) {
        struct rv_cancel **to[7];

        for (int i = 0; i < 7; i++)
            to[i] = handles ? &cancels[i] : NULL;
        assert_int_equal(rv_context_with_cancel(bg, &contexts[0], to[0]), 0);
        assert_int_equal(rv_context_with_timeout(bg, RV_HOUR, &contexts[1], to[1]), 0);
        assert_int_equal(rv_context_with_deadline(bg, RV_NEVER, &contexts[2], to[2]), 0);
        assert_int_equal(rv_context_with_value(bg, &key, NULL, &contexts[3], to[3]), 0);
        assert_int_equal(rv_context_without_cancel(bg, &contexts[4], to[4]), 0);
        assert_int_equal(rv_context_with_signals(bg, signals, &contexts[5], to[5]), 0);
        assert_int_equal(rv_context_with_labels(bg, &labels, &contexts[6], to[6]), 0);
        for (int i = 0; i < 7; i++) {
            if (handles)
                rv_context_cancel(cancels[i], -EIO, "number %d", i);
            assert_int_equal(rv_context_err(contexts[i]), handles ? -EIO : 0);
            rv_context_unref(contexts[i]);
        }
    }
    rv_context_cancel(NULL, 0, NULL);
}

static void test_cause_is_inherited_and_first_wins(void **state)
{
    struct rv_cancel *cancel_root;
    struct rv_context *root = child_of(rv_context_background(), &cancel_root);
    struct rv_cancel *cancel_grandchild;
    struct rv_context *child = child_of(root, NULL),
                      *grandchild = child_of(child, &cancel_grandchild), *late;
    struct rv_cause cause;
    (void)state;

    /* A child's cancel never touches its parent. */
    rv_context_cancel(cancel_grandchild, -EIO, "disk %d", 7);
    assert_int_equal(rv_context_err(child), 0);
    rv_context_cancel(cancel_root, 0, "stop");
    rv_context_cancel(cancel_root, -EIO, "too late");
    assert_int_equal(rv_context_cause(root, &cause), -ECANCELED);
    assert_string_equal(cause.text, "stop");
    assert_int_equal(rv_context_cause(child, &cause), -ECANCELED);
    assert_string_equal(cause.text, "stop");
    assert_int_equal(rv_context_cause(grandchild, &cause), -EIO);
    assert_string_equal(cause.text, "disk 7");
    late = child_of(child, NULL);
    assert_int_equal(rv_context_cause(late, &cause), -ECANCELED);
    assert_string_equal(cause.text, "stop");
    rv_context_unref(late);
    rv_context_unref(grandchild);
    rv_context_unref(child);
    rv_context_unref(root);
}

static void test_deadlines(void **state)
{
    struct rv_context *outer, *inner, *past;
    rv_time outer_deadline, inner_deadline;
    (void)state;

    assert_int_equal(rv_context_with_timeout(rv_context_background(), RV_HOUR, &outer, NULL), 0);
    assert_int_equal(rv_context_with_timeout(outer, 2 * RV_HOUR, &inner, NULL), 0);
    assert_true(rv_context_deadline(outer, &outer_deadline));
    assert_true(rv_context_deadline(inner, &inner_deadline));
    assert_int_equal(inner_deadline, outer_deadline);
    rv_context_unref(inner);
    assert_int_equal(rv_context_with_timeout(outer, RV_MILLISECOND, &inner, NULL), 0);
    assert_int_equal(rv_context_wait(inner), -ETIMEDOUT);
    assert_int_equal(rv_context_err(outer), 0);
    assert_int_equal(rv_context_with_timeout(outer, 0, &past, NULL), 0);
    assert_int_equal(rv_context_err(past), -ETIMEDOUT);
    rv_context_unref(past);
    rv_context_unref(inner);
    rv_context_unref(outer);
}

static void test_values_and_labels(void **state)
{
    static const char key, other;
    struct rv_context *a, *b, *c;
    struct rv_labels labels;
    int value = 5;
    (void)state;

    assert_int_equal(rv_context_with_value(rv_context_background(), &key, &value, &a, NULL), 0);
    assert_int_equal(rv_context_with_labels(a, &(struct rv_labels){.module = "web"}, &b, NULL), 0);
    assert_int_equal(
        rv_context_with_labels(b, &(struct rv_labels){.task = "check", .run = 3}, &c, NULL), 0);
    assert_ptr_equal(rv_context_value(c, &key), &value);
    assert_null(rv_context_value(c, &other));
    labels = rv_context_labels(c);
    assert_string_equal(labels.module, "web");
    assert_string_equal(labels.task, "check");
    assert_int_equal(labels.run, 3);
    rv_context_unref(a);
    rv_context_unref(b);
    assert_string_equal(rv_context_labels(c).module, "web");
    rv_context_unref(c);
}

static void test_without_cancel(void **state)
{
    struct rv_cancel *cancel_parent, *cancel_kept;
    struct rv_context *parent = child_of(rv_context_background(), &cancel_parent), *kept, *below;
    (void)state;

    assert_int_equal(rv_context_without_cancel(parent, &kept, &cancel_kept), 0);
    below = child_of(kept, NULL);
    rv_context_cancel(cancel_parent, 0, NULL);
    assert_int_equal(rv_context_err(kept), 0);
    assert_int_equal(rv_context_err(below), 0);
    rv_context_cancel(cancel_kept, 0, NULL);
    assert_int_equal(rv_context_err(below), -ECANCELED);
    rv_context_unref(below);
    rv_context_unref(kept);
    rv_context_unref(parent);
}

static int call_wait(void *arg)
{
    return rv_context_wait(arg);
}

static int call_sleep(void *arg)
{
    return rv_sleep(arg, RV_FOREVER);
}

static int call_poll(void *arg)
{
    int ends[2], r;

    if (pipe(ends) < 0)
        return 1;
    r = rv_poll(arg, ends[0], POLLIN, RV_FOREVER);
    close(ends[0]);
    close(ends[1]);
    return r;
}

static void test_cancel_ends_blocked_calls(void **state)
{
    int (*const calls[])(void *) = {call_wait, call_sleep, call_poll};
    (void)state;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct rv_cancel *cancel_root;
        struct rv_context *root = child_of(rv_context_background(), &cancel_root),
                          *ctx = child_of(root, NULL);
        struct caller caller;

        caller_start(&caller, calls[i], ctx);
        caller_wait_blocked(&caller);
        rv_context_cancel(cancel_root, -ESHUTDOWN, "over");
        assert_int_equal(caller_join(&caller), -ESHUTDOWN);
        rv_context_unref(ctx);
        rv_context_unref(root);
    }
}

static void test_poll(void **state)
{
    struct rv_context *ctx = rv_context_background();
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, 0), 0);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, RV_MILLISECOND), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, RV_FOREVER), POLLIN);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(rv_poll(ctx, ends[0], POLLIN, RV_FOREVER), -EBADF);
}

static void test_fd(void **state)
{
    struct rv_cancel *cancel_root;
    struct rv_context *root = child_of(rv_context_background(), &cancel_root),
                      *ctx = child_of(root, NULL);
    struct pollfd fd = {.fd = rv_context_fd(ctx), .events = POLLIN};
    (void)state;

    assert_int_equal(poll(&fd, 1, 0), 0);
    rv_context_cancel(cancel_root, 0, NULL);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(rv_context_fd(ctx), fd.fd);
    /* Asked for after the cancel it is ready at once. */
    fd.fd = rv_context_fd(root);
    assert_int_equal(poll(&fd, 1, 0), 1);
    rv_context_unref(ctx);
    rv_context_unref(root);
}

struct after_state {
    _Atomic int ran;
    _Atomic int go_on;
    struct rv_after *after;
    int err;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
};

static void after_note(void *arg)
{
    struct after_state *s = arg;

    s->err = rv_context_err(s->ctx);
    atomic_fetch_add(&s->ran, 1);
    while (!atomic_load(&s->go_on))
        sched_yield();
    atomic_fetch_add(&s->ran, 1);
}

static void after_stop_self(void *arg)
{
    struct after_state *s = arg;

    while (!atomic_load(&s->go_on))
        sched_yield();
    s->err = rv_after_destroy(s->after);
    atomic_store(&s->ran, 1);
}

static void test_after(void **state)
{
    struct rv_cancel *cancel;
    struct rv_context *ctx = child_of(rv_context_background(), &cancel);
    struct after_state s = {.ctx = ctx}, self = {.ctx = ctx};
    struct rv_after *never;
    (void)state;

    assert_int_equal(rv_after_create(ctx, after_note, &s, &never), 0);
    assert_true(rv_after_destroy(never));
    assert_int_equal(rv_after_create(ctx, after_note, &s, &s.after), 0);
    rv_context_cancel(cancel, 0, NULL);
    wait_value(&s.ran, 1);
    atomic_store(&s.go_on, 1);
    /* Stopping waits for its end. */
    assert_false(rv_after_destroy(s.after));
    assert_int_equal(s.ran, 2);
    assert_int_equal(s.err, -ECANCELED);
    /* On a context that is done it runs at once; and it may stop itself. */
    assert_int_equal(rv_after_create(ctx, after_stop_self, &self, &self.after), 0);
    atomic_store(&self.go_on, 1);
    wait_value(&self.ran, 1);
    assert_false(self.err);
    rv_context_unref(ctx);
}

/* A thread that sees the parent done sees all below it done. */
struct order {
    struct rv_context *root;
    struct rv_cancel *cancel_root;
    struct rv_context *leaves[64];
    _Atomic int violations;
};

static int watch_order(void *arg)
{
    struct order *order = arg;

    while (rv_context_err(order->root) == 0)
        ;
    for (int i = 0; i < 64; i++)
        if (rv_context_err(order->leaves[i]) == 0)
            atomic_fetch_add(&order->violations, 1);
    return 0;
}

static void test_descendants_are_done_first(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct order order = {0};
        struct caller watcher;
        struct rv_context *ctx;

        order.root = child_of(rv_context_background(), &order.cancel_root);
        ctx = order.root;
        for (int i = 0; i < 64; i++) {
            order.leaves[i] = child_of(ctx, NULL);
            ctx = i % 8 == 7 ? order.root : order.leaves[i];
        }
        caller_start(&watcher, watch_order, &order);
        rv_context_cancel(order.cancel_root, 0, NULL);
        caller_join(&watcher);
        assert_int_equal(order.violations, 0);
        for (int i = 0; i < 64; i++)
            rv_context_unref(order.leaves[i]);
        rv_context_unref(order.root);
    }
}

static _Atomic int churn_stop;

/* Children come, wait a little, are cancelled and go, under a parent that is cancelled meanwhile.
 */
static int churn(void *arg)
{
    struct rv_context *parent = arg;
    int count = 0;

    while (!atomic_load(&churn_stop)) {
        struct rv_context *ctx, *timed;
        struct rv_cancel *cancel;

        if (rv_context_with_cancel(parent, &ctx, &cancel) < 0 ||
            rv_context_with_timeout(ctx, (count % 50) * RV_MICROSECOND, &timed, NULL) < 0)
            return -ENOMEM;
        if (count % 3 == 0)
            rv_context_cancel(cancel, 0, "own");
        if (count % 5 == 0)
            (void)!rv_sleep(timed, 20 * RV_MICROSECOND);
        rv_context_unref(ctx);
        rv_context_unref(timed);
        count++;
    }
    return 0;
}

static void test_churn_against_cancel(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct rv_cancel *cancel_root;
        struct rv_context *root = child_of(rv_context_background(), &cancel_root);
        struct caller callers[4];

        atomic_store(&churn_stop, 0);
        for (int i = 0; i < 4; i++)
            caller_start(&callers[i], churn, root);
        assert_int_equal(rv_sleep(rv_context_background(), RV_MILLISECOND), 0);
        rv_context_cancel(cancel_root, 0, NULL);
        atomic_store(&churn_stop, 1);
        for (int i = 0; i < 4; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        rv_context_unref(root);
    }
}

static int count_nodes(const struct rv_context_info *info, void *arg)
{
    int *depths = arg;

    depths[info->depth]++;
    return 0;
}

static void test_live_tree(void **state)
{
    struct rv_context *root = child_of(rv_context_background(), NULL);
    struct rv_cancel *cancel_a;
    struct rv_context *a = child_of(root, &cancel_a), *b = child_of(root, NULL),
                      *c = child_of(a, NULL);
    int depths[4] = {0};
    (void)state;

    assert_int_equal(rv_context_visit(root, count_nodes, depths), 0);
    assert_int_equal(depths[0], 1);
    assert_int_equal(depths[1], 2);
    assert_int_equal(depths[2], 1);
    /* The cancelled leave the tree. */
    rv_context_cancel(cancel_a, 0, NULL);
    memset(depths, 0, sizeof(depths));
    rv_context_visit(root, count_nodes, depths);
    assert_int_equal(depths[1], 1);
    assert_int_equal(depths[2], 0);
    rv_context_unref(c);
    rv_context_unref(b);
    rv_context_unref(a);
    rv_context_unref(root);
}

static void test_long_chains(void **state)
{
    struct rv_cancel *cancel_root;
    struct rv_context *root = child_of(rv_context_background(), &cancel_root),
                      *ctx = rv_context_ref(root);
    (void)state;

    for (int i = 0; i < 100000; i++) {
        struct rv_context *next = child_of(ctx, NULL);

        rv_context_unref(ctx);
        ctx = next;
    }
    rv_context_cancel(cancel_root, 0, NULL);
    assert_int_equal(rv_context_err(ctx), -ECANCELED);
    rv_context_unref(ctx);
    rv_context_unref(root);
}

static void test_signals(void **state)
{
    static const int list[] = {SIGUSR1, SIGUSR2, 0}, bad[] = {SIGUSR1, SIGKILL, 0};
    struct sigaction action;
    struct rv_context *a, *b;
    struct rv_cause cause;
    char expected[64];
    (void)state;

    assert_int_equal(rv_context_with_signals(rv_context_background(), bad, &a, NULL), -EINVAL);
    assert_int_equal(rv_context_with_signals(rv_context_background(), list, &a, NULL), 0);
    assert_int_equal(rv_context_with_signals(rv_context_background(), list, &b, NULL), 0);
    rv_context_unref(b); /* given up without a signal */
    kill(getpid(), SIGUSR2);
    assert_int_equal(rv_context_wait(a), -ECANCELED);
    rv_context_cause(a, &cause);
    snprintf(expected, sizeof(expected), "SIGUSR2 from pid %d uid %u", getpid(), getuid());
    assert_string_equal(cause.text, expected);
    rv_context_unref(a);
    /* The last one put the signals' former actions back. */
    sigaction(SIGUSR1, NULL, &action);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_every_maker_gives_a_handle),
        cmocka_unit_test(test_cause_is_inherited_and_first_wins),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_values_and_labels),
        cmocka_unit_test(test_without_cancel),
        cmocka_unit_test(test_cancel_ends_blocked_calls),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_fd),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_descendants_are_done_first),
        cmocka_unit_test(test_churn_against_cancel),
        cmocka_unit_test(test_live_tree),
        cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_signals),
    };

    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
