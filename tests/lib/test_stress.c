/* SPDX-License-Identifier: MIT */
/*
 * Channels and semaphores under random use from many threads: nothing is lost and nothing doubled,
 * whatever is cancelled and closed when. Each test does a bounded amount of work.
 */
#include <reeve/channel.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>

#include "tests/lib/random.h"

#define THREADS 4

/* Channels ---------------------------------------------------------------- */

#define CHANNELS 3
#define ELEMENTS 400 /* a sender */

struct traffic {
    struct rv_channel *channels[CHANNELS];
    _Atomic int got[THREADS * ELEMENTS];
    bool sent[THREADS * ELEMENTS]; /* each its sender's own */
    unsigned round;
};

struct party {
    struct traffic *traffic;
    unsigned number;
};

static int send_one(struct traffic *traffic, struct dice *dice, struct rv_context *ctx,
                    int *element)
{
    struct rv_channel *channel = traffic->channels[roll(dice, CHANNELS)];
    struct rv_clause clauses[] = {RV_SEND(channel, element),
                                  RV_SEND(traffic->channels[roll(dice, CHANNELS)], element)};
    int r;

    switch (roll(dice, 3)) {
    case 0:
        return rv_channel_try_send(channel, element);
    case 1:
        return rv_channel_send(ctx, channel, element);
    default:
        r = rv_select(ctx, clauses, 2, roll(dice, 100) * RV_MICROSECOND);
        return r >= 0 ? clauses[r].result : r;
    }
}

static int send_elements(void *arg)
{
    struct party *party = arg;
    struct traffic *traffic = party->traffic;
    struct dice dice = dice_for(traffic->round, party->number);

    for (int i = 0; i < ELEMENTS; i++) {
        int element = (int)party->number * ELEMENTS + i;
        struct rv_cancel *cancel;
        struct rv_context *ctx = some_context(&dice, &cancel);

        if (!ctx)
            return -ENOMEM;
        /* A context that is not timed must not wait for ever: it tries and cancels. */
        if (!rv_context_deadline(ctx, &(rv_time){0}))
            traffic->sent[element] =
                rv_channel_try_send(traffic->channels[roll(&dice, CHANNELS)], &element) == 0;
        else
            traffic->sent[element] = send_one(traffic, &dice, ctx, &element) == 0;
        rv_context_cancel(cancel, 0, NULL);
        rv_context_unref(ctx);
    }
    return 0;
}

static int receive_elements(void *arg)
{
    struct party *party = arg;
    struct traffic *traffic = party->traffic;
    struct dice dice = dice_for(traffic->round, THREADS + party->number);
    int elements[CHANNELS], r;

    for (;;) {
        struct rv_clause clauses[CHANNELS];
        struct rv_context *ctx;
        unsigned open = 0, at = roll(&dice, CHANNELS);

        switch (roll(&dice, 3)) {
        case 0:
            r = rv_channel_try_recv(traffic->channels[at], &elements[at]);
            break;
        case 1:
            ctx = some_context(&dice, NULL);
            if (!ctx)
                return -ENOMEM;
            r = rv_context_deadline(ctx, &(rv_time){0})
                    ? rv_channel_recv(ctx, traffic->channels[at], &elements[at])
                    : -EAGAIN;
            rv_context_unref(ctx);
            break;
        default:
            for (int i = 0; i < CHANNELS; i++)
                clauses[i] = (struct rv_clause)RV_RECV(traffic->channels[i], &elements[i]);
            r = rv_select(bg, clauses, CHANNELS, roll(&dice, 100) * RV_MICROSECOND);
            if (r >= 0) {
                at = (unsigned)r;
                r = clauses[at].result;
            }
            break;
        }
        if (r == 0)
            atomic_fetch_add(&traffic->got[elements[at]], 1);
        if (r != -EPIPE)
            continue;
        for (int i = 0; i < CHANNELS; i++) {
            r = rv_channel_try_recv(traffic->channels[i], &elements[i]);
            if (r == 0)
                atomic_fetch_add(&traffic->got[elements[i]], 1);
            open += r != -EPIPE;
        }
        if (open == 0)
            return 0;
    }
}

static void test_channels(void **state)
{
    static const size_t capacities[CHANNELS] = {0, 1, 5};
    (void)state;

    for (unsigned round = 0; round < 6; round++) {
        static struct traffic traffic;
        struct caller senders[THREADS], receivers[THREADS];
        struct party parties[THREADS];
        struct dice dice = dice_for(round, 1000);

        memset(&traffic, 0, sizeof(traffic));
        traffic.round = round;
        for (int i = 0; i < CHANNELS; i++)
            assert_int_equal(rv_channel_create(sizeof(int), capacities[i], &traffic.channels[i]),
                             0);
        for (unsigned i = 0; i < THREADS; i++) {
            parties[i] = (struct party){&traffic, i};
            caller_start(&senders[i], send_elements, &parties[i]);
            caller_start(&receivers[i], receive_elements, &parties[i]);
        }
        /* One of them closes in the middle of it, in every other round. */
        if (round % 2) {
            assert_int_equal(rv_sleep(bg, roll(&dice, 2000) * RV_MICROSECOND), 0);
            rv_channel_close(traffic.channels[roll(&dice, CHANNELS)]);
        }
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&senders[i]), 0);
        for (int i = 0; i < CHANNELS; i++)
            rv_channel_close(traffic.channels[i]);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&receivers[i]), 0);
        for (int i = 0; i < THREADS * ELEMENTS; i++)
            assert_int_equal(traffic.got[i], traffic.sent[i]);
        for (int i = 0; i < CHANNELS; i++)
            rv_channel_unref(traffic.channels[i]);
    }
}

/* Semaphores -------------------------------------------------------------- */

#define SIZE 5

struct counter {
    struct rv_semaphore *semaphore;
    _Atomic int out;
    unsigned number;
};

static struct counter counter;

static int take_and_give(void *arg)
{
    struct dice dice = dice_for(5, *(unsigned *)arg);

    for (int i = 0; i < 1000; i++) {
        unsigned weight = roll(&dice, SIZE + 1);
        struct rv_context *ctx = some_context(&dice, NULL);
        int r;

        if (!ctx)
            return -ENOMEM;
        r = roll(&dice, 4) && rv_context_deadline(ctx, &(rv_time){0})
                ? rv_semaphore_acquire(ctx, counter.semaphore, weight)
                : rv_semaphore_try_acquire(counter.semaphore, weight);
        if (r == 0) {
            if (atomic_fetch_add(&counter.out, (int)weight) + (int)weight > SIZE)
                return -ERANGE;
            atomic_fetch_sub(&counter.out, (int)weight);
            rv_semaphore_release(counter.semaphore, weight);
        }
        rv_context_unref(ctx);
    }
    return 0;
}

static void test_semaphores(void **state)
{
    struct caller callers[THREADS];
    unsigned numbers[THREADS];
    (void)state;

    assert_int_equal(rv_semaphore_create(SIZE, &counter.semaphore), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        caller_start(&callers[i], take_and_give, &numbers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    /* All of it is back. */
    assert_int_equal(rv_semaphore_try_acquire(counter.semaphore, SIZE), 0);
    rv_semaphore_release(counter.semaphore, SIZE);
    rv_semaphore_destroy(counter.semaphore);
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
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_semaphores),
    };

    return cmocka_run_group_tests_name("stress", tests, setup, NULL);
}
