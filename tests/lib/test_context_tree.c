/* SPDX-License-Identifier: MIT */
/* The context tree: who is done with which cause, whatever is cancelled in which order. */
#include <reeve/context.h>
#include <reeve/sleep.h>

#include "tests/support/test.h"

static struct rv_context *bg;

static struct rv_context *child_of(struct rv_context *parent, struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx;

    assert_int_equal(rv_context_with_cancel(parent, &ctx, ret_cancel), 0);
    return ctx;
}

static int count_node(const struct rv_context_info *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

/* Of the live tree, ctx not counted. */
static int descendants(struct rv_context *ctx)
{
    int count = -1;

    rv_context_visit(ctx, count_node, &count);
    return count;
}

/* Causes ------------------------------------------------------------------ */

/* A parent and its child; steps are taken in order: 'p' and 'c' cancel the parent or child with a
 * cause of their own, 'P' and 'C' without one. */
static const struct {
    const char *steps;
    int parent_code, child_code;
    const char *parent_text, *child_text;
} orders[] = {
    {"", 0, 0, "", ""},
    {"p", -EIO, -EIO, "parent", "parent"},
    {"P", -ECANCELED, -ECANCELED, "Operation canceled", "Operation canceled"},
    {"pc", -EIO, -EIO, "parent", "parent"},
    {"cp", -EIO, -EDOM, "parent", "child"},
    {"pC", -EIO, -EIO, "parent", "parent"},
    {"Cp", -EIO, -ECANCELED, "parent", "Operation canceled"},
    {"Pc", -ECANCELED, -ECANCELED, "Operation canceled", "Operation canceled"},
    {"cP", -ECANCELED, -EDOM, "Operation canceled", "child"},
    {"c", 0, -EDOM, "", "child"},
};

static void test_causes_in_every_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct rv_cancel *cancel_parent, *cancel_child;
        struct rv_context *parent = child_of(bg, &cancel_parent);
        struct rv_context *child = child_of(parent, &cancel_child), *late;
        struct rv_cause cause;

        for (const char *step = orders[i].steps; *step; step++) {
            bool parents = *step == 'p' || *step == 'P';
            struct rv_cancel *cancel = parents ? cancel_parent : cancel_child;

            if (*step == 'P' || *step == 'C')
                rv_context_cancel(cancel, 0, NULL);
            else
                rv_context_cancel(cancel, parents ? -EIO : -EDOM, "%s",
                                  parents ? "parent" : "child");
        }
        assert_int_equal(rv_context_cause(parent, &cause), orders[i].parent_code);
        assert_int_equal(cause.code, rv_context_err(parent));
        assert_string_equal(cause.text, orders[i].parent_text);
        assert_int_equal(rv_context_cause(child, &cause), orders[i].child_code);
        assert_int_equal(cause.code, rv_context_err(child));
        assert_string_equal(cause.text, orders[i].child_text);
        /* One that is made afterwards inherits it, and one without cancel does not. */
        late = child_of(child, NULL);
        assert_int_equal(rv_context_cause(late, &cause), orders[i].child_code);
        assert_string_equal(cause.text, orders[i].child_text);
        rv_context_unref(late);
        assert_int_equal(rv_context_without_cancel(child, &late, NULL), 0);
        assert_int_equal(rv_context_cause(late, &cause), 0);
        assert_string_equal(cause.text, "");
        rv_context_unref(late);
        rv_context_unref(child);
        rv_context_unref(parent);
    }
}

static void test_a_deadline_is_a_cause(void **state)
{
    struct rv_cancel *cancel_parent;
    struct rv_context *parent = child_of(bg, &cancel_parent), *timed, *below;
    struct rv_cause cause;
    (void)state;

    assert_int_equal(rv_context_with_timeout(parent, 0, &timed, NULL), 0);
    below = child_of(timed, NULL);
    rv_context_cancel(cancel_parent, -EIO, "too late");
    assert_int_equal(rv_context_cause(timed, &cause), -ETIMEDOUT);
    assert_string_equal(cause.text, "its deadline has passed");
    assert_int_equal(rv_context_err(below), -ETIMEDOUT);
    rv_context_unref(below);
    rv_context_unref(timed);
    rv_context_unref(parent);
    /* Cancelled before its deadline it never times out. */
    parent = child_of(bg, &cancel_parent);
    assert_int_equal(rv_context_with_timeout(parent, RV_MILLISECOND, &timed, NULL), 0);
    rv_context_cancel(cancel_parent, -EIO, "first");
    assert_int_equal(rv_sleep(bg, 2 * RV_MILLISECOND), 0);
    assert_true(rv_context_err(timed) == -EIO || rv_context_err(timed) == -ETIMEDOUT);
    rv_context_unref(timed);
    rv_context_unref(parent);
}

static void test_deadlines_that_never_come(void **state)
{
    struct rv_context *ctx, *below;
    struct rv_cancel *cancel;
    rv_time deadline, other;
    (void)state;

    assert_int_equal(rv_context_with_timeout(bg, RV_FOREVER, &ctx, &cancel), 0);
    assert_false(rv_context_deadline(ctx, &deadline));
    rv_context_unref(ctx);
    assert_int_equal(rv_context_with_timeout(bg, RV_FOREVER - 1, &ctx, &cancel), 0);
    assert_int_equal(rv_context_err(ctx), 0);
    rv_context_unref(ctx);
    assert_int_equal(rv_context_with_deadline(bg, INT64_MIN, &ctx, &cancel), 0);
    assert_int_equal(rv_context_err(ctx), -ETIMEDOUT);
    rv_context_unref(ctx);
    /* Without cancel also means without deadline. */
    assert_int_equal(rv_context_with_timeout(bg, RV_HOUR, &ctx, &cancel), 0);
    assert_true(rv_context_deadline(ctx, &deadline));
    assert_int_equal(rv_context_without_cancel(ctx, &below, NULL), 0);
    assert_false(rv_context_deadline(below, &other));
    rv_context_unref(below);
    /* A value's context has its parent's. */
    assert_int_equal(rv_context_with_value(ctx, &deadline, NULL, &below, NULL), 0);
    assert_true(rv_context_deadline(below, &other));
    assert_int_equal(deadline, other);
    rv_context_unref(below);
    rv_context_unref(ctx);
}

/* A thread that sees the code sees the cause that belongs to it. */
static int poll_cause(void *arg)
{
    struct rv_cause cause;

    while (rv_context_cause(arg, &cause) == 0)
        sched_yield();
    return cause.code == -EIO && strcmp(cause.text, "the one cause") == 0 ? 0 : 1;
}

static void test_the_cause_comes_with_the_code(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct rv_cancel *cancel_root;
        struct rv_context *root = child_of(bg, &cancel_root), *ctx = child_of(root, NULL);
        struct caller callers[2];

        for (int i = 0; i < 2; i++)
            caller_start(&callers[i], poll_cause, ctx);
        rv_context_cancel(cancel_root, -EIO, "the %s cause", "one");
        for (int i = 0; i < 2; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        rv_context_unref(ctx);
        rv_context_unref(root);
    }
}

/* The tree ---------------------------------------------------------------- */

static void test_the_cancelled_leave_their_parents(void **state)
{
    struct rv_cancel *cancel_root, *cancel_plain, *cancel_timed;
    struct rv_context *root = child_of(bg, &cancel_root), *plain, *valued, *timed;
    (void)state;

    plain = child_of(root, &cancel_plain);
    assert_int_equal(rv_context_with_value(root, &bg, &bg, &valued, NULL), 0);
    assert_int_equal(rv_context_with_timeout(valued, RV_HOUR, &timed, &cancel_timed), 0);
    assert_int_equal(descendants(root), 3);
    rv_context_cancel(cancel_timed, 0, NULL);
    assert_int_equal(descendants(root), 2);
    rv_context_cancel(cancel_plain, 0, NULL);
    assert_int_equal(descendants(root), 1);
    rv_context_unref(timed);
    rv_context_unref(valued);
    assert_int_equal(descendants(root), 0);
    timed = child_of(root, &cancel_timed);
    valued = child_of(timed, NULL);
    rv_context_cancel(cancel_root, 0, NULL);
    assert_int_equal(descendants(root), 0);
    /* A context that is born done is not in it either. */
    rv_context_unref(plain);
    plain = child_of(root, &cancel_plain);
    assert_int_equal(descendants(root), 0);
    rv_context_unref(plain);
    rv_context_unref(valued);
    rv_context_unref(timed);
    rv_context_unref(root);
}

/* A random stack of values, deadlines and plain contexts keeps all values, before and after. */
static void test_layers_keep_their_values(void **state)
{
    unsigned seed = 12345;
    (void)state;

    for (int round = 0; round < 20; round++) {
        struct rv_context *layers[40], *ctx = bg;
        struct rv_cancel *cancel_layers[40];
        bool valued[40] = {false};
        int at = rand_r(&seed) % 40;

        for (int i = 0; i < 40; i++) {
            int kind = rand_r(&seed) % 3;

            valued[i] = kind == 0;
            if (kind == 0)
                assert_int_equal(rv_context_with_value(ctx, &layers[i], &valued[i], &layers[i],
                                                       &cancel_layers[i]),
                                 0);
            else if (kind == 1)
                assert_int_equal(
                    rv_context_with_timeout(ctx, RV_HOUR + i, &layers[i], &cancel_layers[i]), 0);
            else
                layers[i] = child_of(ctx, &cancel_layers[i]);
            ctx = layers[i];
        }
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < 40; i++) {
                assert_ptr_equal(rv_context_value(ctx, &layers[i]), valued[i] ? &valued[i] : NULL);
                assert_int_equal(rv_context_err(layers[i]), pass && i >= at ? -ECANCELED : 0);
            }
            rv_context_cancel(cancel_layers[at], 0, NULL);
        }
        for (int i = 0; i < 40; i++)
            rv_context_unref(layers[i]);
    }
}

static void test_the_nearest_value_counts(void **state)
{
    static const char first, second;
    struct rv_context *a, *b, *c;
    int x, y;
    (void)state;

    assert_int_equal(rv_context_with_value(bg, &first, &x, &a, NULL), 0);
    assert_int_equal(rv_context_with_value(a, &second, &y, &b, NULL), 0);
    assert_int_equal(rv_context_with_value(b, &first, NULL, &c, NULL), 0);
    assert_ptr_equal(rv_context_value(b, &first), &x);
    assert_ptr_equal(rv_context_value(c, &second), &y);
    assert_null(rv_context_value(c, &first));
    assert_null(rv_context_value(a, &second));
    assert_null(rv_context_value(c, NULL));
    rv_context_unref(c);
    rv_context_unref(b);
    rv_context_unref(a);
}

/* Many at once ------------------------------------------------------------ */

#define NODES 21 /* a root and four children a node, two deep */

static int cancel_it(void *arg)
{
    rv_context_cancel(arg, 0, NULL);
    return 0;
}

static void test_everybody_cancels_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct rv_context *nodes[NODES];
        struct rv_cancel *cancels[NODES];
        struct caller callers[NODES];

        nodes[0] = child_of(bg, &cancels[0]);
        for (int i = 1; i < NODES; i++)
            nodes[i] = child_of(nodes[(i - 1) / 4], &cancels[i]);
        for (int i = 0; i < NODES; i++)
            caller_start(&callers[i], cancel_it, cancels[(i * 37 + round) % NODES]);
        for (int i = 0; i < NODES; i++)
            assert_int_equal(rv_context_wait(nodes[i]), -ECANCELED);
        for (int i = 0; i < NODES; i++)
            caller_join(&callers[i]);
        for (int i = 0; i < NODES; i++)
            rv_context_unref(nodes[i]);
    }
}

static int wait_for_it(void *arg)
{
    return rv_context_wait(arg);
}

/* A parent's and a child's cancel at the same moment, each with somebody waiting. */
static void test_interlocked_cancels(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct rv_cancel *cancel_parent, *cancel_child;
        struct rv_context *parent = child_of(bg, &cancel_parent);
        struct rv_context *child = child_of(parent, &cancel_child);
        struct caller canceller, waiters[2];

        caller_start(&waiters[0], wait_for_it, parent);
        caller_start(&waiters[1], wait_for_it, child);
        caller_start(&canceller, cancel_it, cancel_child);
        rv_context_cancel(cancel_parent, 0, NULL);
        caller_join(&canceller);
        assert_int_equal(caller_join(&waiters[0]), -ECANCELED);
        assert_int_equal(caller_join(&waiters[1]), -ECANCELED);
        rv_context_unref(child);
        rv_context_unref(parent);
    }
}

static _Atomic int stop_visiting;

static int read_labels(const struct rv_context_info *info, void *arg)
{
    int *seen = arg;

    if (info->labels.module)
        *seen += strcmp(info->labels.module, "web") == 0 ? 1 : -1000000;
    return 0;
}

static int visit_on_and_on(void *arg)
{
    int seen = 0;

    while (!atomic_load(&stop_visiting)) {
        rv_context_visit(arg, read_labels, &seen);
        sched_yield();
    }
    return seen;
}

/* A visit beside the making of what it sees. */
static void test_visits_see_whole_labels(void **state)
{
    struct rv_context *root = child_of(bg, NULL);
    struct caller visitor;
    (void)state;

    atomic_store(&stop_visiting, 0);
    caller_start(&visitor, visit_on_and_on, root);
    for (int i = 0; i < 2000; i++) {
        struct rv_context *ctx;

        assert_int_equal(
            rv_context_with_labels(root, &(struct rv_labels){"web", "check", 7}, &ctx, NULL), 0);
        rv_context_unref(ctx);
    }
    atomic_store(&stop_visiting, 1);
    assert_true(caller_join(&visitor) >= 0);
    rv_context_unref(root);
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
        cmocka_unit_test(test_causes_in_every_order),
        cmocka_unit_test(test_a_deadline_is_a_cause),
        cmocka_unit_test(test_deadlines_that_never_come),
        cmocka_unit_test(test_the_cause_comes_with_the_code),
        cmocka_unit_test(test_the_cancelled_leave_their_parents),
        cmocka_unit_test(test_layers_keep_their_values),
        cmocka_unit_test(test_the_nearest_value_counts),
        cmocka_unit_test(test_everybody_cancels_at_once),
        cmocka_unit_test(test_interlocked_cancels),
        cmocka_unit_test(test_visits_see_whole_labels),
    };

    return cmocka_run_group_tests_name("context tree", tests, setup, NULL);
}
