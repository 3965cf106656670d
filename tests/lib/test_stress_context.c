/* SPDX-License-Identifier: MIT */
/*
 * Contexts, and what hangs on their ends, under random use from many threads. Contexts are made,
 * cancelled, asked and given back in no order at all; a few invariants hold at every moment, and
 * the sanitizers watch the memory.
 */
#include <poll.h>
#include <reeve/context.h>
#include <reeve/once.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include "tests/lib/random.h"

#define THREADS 4
#define SLOTS   16

/* Contexts that all threads share. The lock is for the slots: whoever takes a context out, or looks
 * at one, has a reference of his own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
} slots[SLOTS];

static struct slot pick(struct dice *dice)
{
    struct slot slot;

    pthread_mutex_lock(&lock);
    slot = slots[roll(dice, SLOTS)];
    if (!slot.ctx)
        slot.ctx = bg;
    rv_context_ref(slot.ctx);
    pthread_mutex_unlock(&lock);
    return slot;
}

/* Takes over the reference. */
static void put(struct dice *dice, struct slot slot)
{
    struct slot before;
    unsigned at = roll(dice, SLOTS);

    pthread_mutex_lock(&lock);
    before = slots[at];
    slots[at] = slot;
    pthread_mutex_unlock(&lock);
    rv_context_unref(before.ctx);
}

static int make_child(struct dice *dice, struct rv_context *parent, struct slot *ret)
{
    static const char key;

    switch (roll(dice, 6)) {
    case 0:
        return rv_context_with_timeout(parent, roll(dice, 300) * RV_MICROSECOND, &ret->ctx,
                                       &ret->cancel);
    case 1:
        return rv_context_with_timeout(parent, RV_HOUR, &ret->ctx, &ret->cancel);
    case 2:
        return rv_context_with_value(parent, &key, &slots, &ret->ctx, &ret->cancel);
    case 3:
        return rv_context_with_labels(parent, &(struct rv_labels){"a", "b", 1}, &ret->ctx,
                                      &ret->cancel);
    case 4:
        return roll(dice, 8) ? rv_context_with_cancel(parent, &ret->ctx, &ret->cancel)
                             : rv_context_without_cancel(parent, &ret->ctx, &ret->cancel);
    default:
        return rv_context_with_cancel(parent, &ret->ctx, &ret->cancel);
    }
}

static void count_up(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

/* The answer of the stop is what has happened. */
static int register_and_stop(struct dice *dice, struct slot slot)
{
    _Atomic int ran = 0;
    struct rv_after *after;
    int r = rv_after_create(slot.ctx, count_up, &ran, &after);
    bool never;

    if (r < 0)
        return r;
    if (roll(dice, 3) == 0)
        rv_context_cancel(slot.cancel, -EIO, "stopped");
    if (roll(dice, 3) == 0)
        sched_yield();
    never = rv_after_destroy(after);
    return atomic_load(&ran) == (never ? 0 : 1) ? 0 : -EPROTO;
}

/* A thread that sees the parent done sees the child done. */
static int look_at_family(struct dice *dice, struct rv_context *parent)
{
    struct rv_context *child;
    bool parent_done, child_done;
    int r = rv_context_with_cancel(parent, &child, NULL);

    if (r < 0)
        return r;
    if (roll(dice, 2))
        sched_yield();
    parent_done = rv_context_err(parent) != 0;
    child_done = rv_context_err(child) != 0;
    rv_context_unref(child);
    return parent_done && !child_done ? -EPROTO : 0;
}

static int look_at_fd(struct rv_context *ctx)
{
    struct pollfd fd = {.fd = rv_context_fd(ctx), .events = POLLIN};
    bool done = rv_context_err(ctx) != 0;

    if (fd.fd < 0)
        return fd.fd;
    if (!done)
        return poll(&fd, 1, 0) < 0 ? -errno : 0;
    /* It is written to after the marking, soon. */
    return poll(&fd, 1, -1) == 1 ? 0 : -EPROTO;
}

static int wait_a_little(struct dice *dice, struct rv_context *ctx)
{
    struct rv_context *timed;
    int r = rv_context_with_timeout(ctx, roll(dice, 100) * RV_MICROSECOND, &timed, NULL), code;

    if (r < 0)
        return r;
    code = roll(dice, 2) ? rv_context_wait(timed) : rv_sleep(timed, RV_HOUR);
    r = code == rv_context_err(timed) && code < 0 ? 0 : -EPROTO;
    rv_context_unref(timed);
    return r;
}

static int count_nodes(const struct rv_context_info *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

static int live(void *arg)
{
    struct dice dice = dice_for(1, *(unsigned *)arg);
    int r = 0;

    for (int i = 0; i < 1200 && r == 0; i++) {
        struct slot slot = pick(&dice), child;
        struct rv_context *ctx = slot.ctx;
        struct rv_cause cause;
        int nodes = 0;

        switch (roll(&dice, 10)) {
        case 0:
            rv_context_cancel(slot.cancel, -EIO, "number %d", i);
            break;
        case 1:
            r = ctx == bg ? 0 : register_and_stop(&dice, slot);
            break;
        case 2:
            r = look_at_family(&dice, ctx);
            break;
        case 3:
            r = ctx == bg ? 0 : look_at_fd(ctx);
            break;
        case 4:
            r = wait_a_little(&dice, ctx);
            break;
        case 5:
            r = rv_context_visit(ctx, count_nodes, &nodes);
            break;
        case 6:
            r = rv_context_cause(ctx, &cause) != 0 && cause.text[0] == '\0' ? -EPROTO : 0;
            break;
        default:
            r = make_child(&dice, ctx, &child);
            if (r == 0)
                put(&dice, child);
            break;
        }
        rv_context_unref(ctx);
    }
    return r;
}

static void test_contexts(void **state)
{
    struct caller callers[THREADS];
    unsigned numbers[THREADS];
    (void)state;

    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        caller_start(&callers[i], live, &numbers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        rv_context_unref(slots[i].ctx);
        slots[i] = (struct slot){0};
    }
}

/* Once -------------------------------------------------------------------- */

struct shared_once {
    struct rv_once once;
    _Atomic int runs;
    int value;
    unsigned round;
};

struct once_call {
    struct shared_once *shared;
    unsigned number;
};

static int run_once(struct rv_context *ctx, void *arg, void **ret_value)
{
    struct shared_once *shared = arg;

    if (atomic_fetch_add(&shared->runs, 1) != 0)
        return -EPROTO;
    if (shared->round % 2)
        (void)!rv_sleep(ctx, (shared->round % 50) * RV_MICROSECOND);
    shared->value = 42;
    *ret_value = &shared->value;
    return shared->round % 5 == 4 ? -EIO : 0;
}

static int call_do_once(void *arg)
{
    struct once_call *call = arg;
    struct shared_once *shared = call->shared;
    struct dice dice = dice_for(shared->round, call->number);
    struct rv_context *ctx;
    void *value = NULL;
    int r;

    if (rv_context_with_timeout(bg, roll(&dice, 200) * RV_MICROSECOND, &ctx, NULL) < 0)
        return -ENOMEM;
    r = rv_once_value(roll(&dice, 2) ? bg : ctx, &shared->once, run_once, shared, &value);
    rv_context_unref(ctx);
    if (r == 0)
        return *(int *)value == 42 ? 0 : -EPROTO;
    return r == -ETIMEDOUT || (r == -EIO && shared->round % 5 == 4) ? 0 : -EPROTO;
}

static void test_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 150; round++) {
        struct shared_once shared = {.once = RV_ONCE_INIT, .round = round};
        struct once_call calls[THREADS];
        struct caller callers[THREADS];

        for (unsigned i = 0; i < THREADS; i++) {
            calls[i] = (struct once_call){&shared, i};
            caller_start(&callers[i], call_do_once, &calls[i]);
        }
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        /* A run that all have left ends here. */
        rv_once_destroy(&shared.once);
        assert_true(shared.runs <= 1);
    }
}

/* Periodic functions ------------------------------------------------------ */

struct beat {
    _Atomic int inside, ends, wrong;
    unsigned number;
};

static int beat(struct rv_context *ctx, void *arg)
{
    struct beat *b = arg;

    if (atomic_fetch_add(&b->inside, 1) != 0 || atomic_load(&b->ends) != 0)
        atomic_fetch_add(&b->wrong, 1);
    if (b->number % 3 == 0)
        (void)!rv_sleep(ctx, 20 * RV_MICROSECOND);
    atomic_fetch_sub(&b->inside, 1);
    return b->number % 4 == 3 ? -EIO : 0;
}

static void beat_ended(int code, const char *text, void *arg)
{
    struct beat *b = arg;

    (void)text;
    if (code >= 0 || atomic_fetch_add(&b->ends, 1) != 0)
        atomic_fetch_add(&b->wrong, 1);
}

static int start_and_stop(void *arg)
{
    struct dice dice = dice_for(3, *(unsigned *)arg);

    for (int i = 0; i < 100; i++) {
        struct beat b = {.number = roll(&dice, 12)};
        struct rv_periodic_spec spec = {.size = sizeof(spec),
                                        .interval = (1 + roll(&dice, 100)) * RV_MICROSECOND,
                                        .delay = roll(&dice, 2) * 30 * RV_MICROSECOND,
                                        .ended = beat_ended};
        struct rv_periodic *periodic;
        struct rv_context *ctx;

        if (rv_context_with_timeout(bg, (1 + roll(&dice, 300)) * RV_MICROSECOND, &ctx, NULL) < 0)
            return -ENOMEM;
        if (rv_periodic_create(ctx, &spec, beat, &b, &periodic) == 0) {
            if (roll(&dice, 2))
                rv_context_wait(ctx);
            if (rv_periodic_destroy(periodic) >= 0)
                return -EPROTO;
            if (atomic_load(&b.ends) != 1 || atomic_load(&b.wrong) || atomic_load(&b.inside))
                return -EPROTO;
        }
        rv_context_unref(ctx);
    }
    return 0;
}

static void test_periodics(void **state)
{
    struct caller callers[THREADS];
    unsigned numbers[THREADS];
    (void)state;

    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        caller_start(&callers[i], start_and_stop, &numbers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
}

static int setup(void **state)
{
    (void)state;
    seed_stress();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_periodics),
    };

    return cmocka_run_group_tests_name("stress context", tests, setup, NULL);
}
