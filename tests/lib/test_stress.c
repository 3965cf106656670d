/* SPDX-License-Identifier: MIT */
/*
 * Channels, pools, groups and semaphores under random use from many threads: nothing is lost and
 * nothing doubled, whatever is cancelled and closed when. Each test does a bounded amount of work.
 */
#include <poll.h>
#include <reeve/channel.h>
#include <reeve/pool.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>

#include "tests/lib/random.h"

#define THREADS 4

static struct rv_context *bg;

/* A context that ends soon, later, or never; mostly soon enough to hit what it is for. */
static struct rv_context *some_context(struct dice *dice)
{
    struct rv_context *ctx = NULL;
    int r;

    switch (roll(dice, 4)) {
    case 0:
        r = rv_context_with_cancel(bg, &ctx);
        break;
    case 1:
        r = rv_context_with_timeout(bg, roll(dice, 20) * RV_MICROSECOND, &ctx);
        break;
    default:
        r = rv_context_with_timeout(bg, roll(dice, 200) * RV_MICROSECOND, &ctx);
        break;
    }
    return r == 0 ? ctx : NULL;
}

/* Channels ---------------------------------------------------------------------------------------
 */

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
        struct rv_context *ctx = some_context(&dice);

        if (!ctx)
            return -ENOMEM;
        /* A context that is not timed must not wait for ever: it tries and cancels. */
        if (!rv_context_deadline(ctx, &(rv_duration){0}))
            traffic->sent[element] =
                rv_channel_try_send(traffic->channels[roll(&dice, CHANNELS)], &element) == 0;
        else
            traffic->sent[element] = send_one(traffic, &dice, ctx, &element) == 0;
        rv_context_cancel(ctx, 0, NULL);
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
            ctx = some_context(&dice);
            if (!ctx)
                return -ENOMEM;
            r = rv_context_deadline(ctx, &(rv_duration){0})
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
            rv_sleep(bg, roll(&dice, 2000) * RV_MICROSECOND);
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

/* Pools ------------------------------------------------------------------------------------------
 */

struct books {
    struct rv_pool *pool;
    _Atomic int accepted, ended, started;
    unsigned round;
};

static void note_end(const struct rv_job_end *end, void *arg)
{
    (void)end;
    atomic_fetch_add(&((struct books *)arg)->ended, 1);
}

static int some_job(struct rv_context *ctx, void *arg)
{
    struct dice dice = dice_for(77, (unsigned)(uintptr_t)arg);

    switch (roll(&dice, 4)) {
    case 0:
        return rv_sleep(ctx, roll(&dice, 50) * RV_MICROSECOND);
    case 1:
        return -EIO;
    default:
        return 0;
    }
}

struct submitter {
    struct books *books;
    unsigned number;
};

static int submit_jobs(void *arg)
{
    struct submitter *submitter = arg;
    struct books *books = submitter->books;
    struct dice dice = dice_for(books->round, submitter->number);

    for (int i = 0; i < 150; i++) {
        void *job = (void *)(uintptr_t)roll(&dice, 1000);
        struct rv_context *ctx = some_context(&dice);
        int r;

        if (!ctx)
            return -ENOMEM;
        if (roll(&dice, 3) == 0)
            r = rv_pool_try_submit(books->pool, some_job, job);
        else
            r = rv_pool_submit(ctx, books->pool, some_job, job);
        if (r == 0)
            atomic_fetch_add(&books->accepted, 1);
        rv_context_unref(ctx);
    }
    return 0;
}

static void test_pools(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 24; round++) {
        struct dice dice = dice_for(round, 1000);
        struct books books = {.round = round};
        struct rv_pool_options options = {.size = sizeof(options),
                                          .workers = 1 + roll(&dice, 4),
                                          .queue = 1 + roll(&dice, 8),
                                          .retries = roll(&dice, 3),
                                          .backoff = 10 * RV_MICROSECOND,
                                          .timeout = roll(&dice, 2) * 20 * RV_MICROSECOND,
                                          .ended = note_end,
                                          .arg = &books};
        struct submitter submitters[THREADS];
        struct caller callers[THREADS];
        struct rv_pool_stats stats;
        bool whole = round % 3 == 0;

        assert_int_equal(rv_pool_create(bg, &options, &books.pool), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            submitters[i] = (struct submitter){&books, i};
            caller_start(&callers[i], submit_jobs, &submitters[i]);
        }
        if (!whole) {
            rv_sleep(bg, roll(&dice, 3000) * RV_MICROSECOND);
            if (round % 3 == 1)
                rv_pool_cancel(books.pool, -ESHUTDOWN, "enough");
            else
                rv_pool_discard(books.pool, -ESHUTDOWN, "enough");
        }
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        assert_int_equal(rv_pool_drain(bg, books.pool), 0);
        rv_pool_stats(books.pool, &stats);
        assert_int_equal(stats.accepted, books.accepted);
        assert_int_equal(stats.accepted, stats.finished + stats.failed + stats.lost);
        assert_int_equal(books.ended, books.accepted);
        if (whole)
            assert_int_equal(stats.lost, 0);
        rv_pool_destroy(books.pool);
        assert_int_equal(books.ended, books.accepted);
    }
}

/* Groups -----------------------------------------------------------------------------------------
 */

struct crowd {
    struct rv_group *group;
    _Atomic int accepted, ran, inside, peak;
    unsigned round;
};

static int be_there(struct rv_context *ctx, void *arg)
{
    struct crowd *crowd = arg;
    int now = atomic_fetch_add(&crowd->inside, 1) + 1, seen = atomic_load(&crowd->peak);
    int number = atomic_fetch_add(&crowd->ran, 1);

    while (now > seen && !atomic_compare_exchange_weak(&crowd->peak, &seen, now))
        ;
    if (number % 7 == 0)
        rv_sleep(ctx, 20 * RV_MICROSECOND);
    atomic_fetch_sub(&crowd->inside, 1);
    return crowd->round % 3 == 2 && number == 50 ? -EIO : 0;
}

struct starter {
    struct crowd *crowd;
    unsigned number;
};

static int start_many(void *arg)
{
    struct starter *starter = arg;
    struct crowd *crowd = starter->crowd;
    struct dice dice = dice_for(crowd->round, starter->number);

    for (int i = 0; i < 100; i++) {
        int r = roll(&dice, 4) ? rv_group_go(crowd->group, be_there, crowd)
                               : rv_group_try_go(crowd->group, be_there, crowd);

        if (r == 0)
            atomic_fetch_add(&crowd->accepted, 1);
        else if (r != -EAGAIN && r != -EIO && r != -ESHUTDOWN)
            return r;
    }
    return 0;
}

static void test_groups(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 24; round++) {
        struct dice dice = dice_for(round, 1000);
        struct crowd crowd = {.round = round};
        unsigned limit = roll(&dice, 5);
        struct starter starters[THREADS];
        struct caller callers[THREADS];
        struct rv_context *ctx;
        int r;

        rv_context_with_cancel(bg, &ctx);
        assert_int_equal(rv_group_create(ctx, &crowd.group), 0);
        rv_group_set_limit(crowd.group, limit);
        for (unsigned i = 0; i < THREADS; i++) {
            starters[i] = (struct starter){&crowd, i};
            caller_start(&callers[i], start_many, &starters[i]);
        }
        if (round % 3 == 1) {
            rv_sleep(bg, roll(&dice, 1000) * RV_MICROSECOND);
            rv_context_cancel(ctx, -ESHUTDOWN, NULL);
        }
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        r = rv_group_wait(crowd.group);
        assert_int_equal(crowd.ran, crowd.accepted);
        assert_int_equal(r, round % 3 == 2 && crowd.ran > 50 ? -EIO : 0);
        assert_true(limit == 0 || crowd.peak <= (int)limit);
        rv_context_unref(ctx);
    }
}

/* Semaphores -------------------------------------------------------------------------------------
 */

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
        struct rv_context *ctx = some_context(&dice);
        int r;

        if (!ctx)
            return -ENOMEM;
        r = roll(&dice, 4) && rv_context_deadline(ctx, &(rv_duration){0})
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
    bg = rv_context_background();
    seed_stress();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_semaphores),
    };

    return cmocka_run_group_tests_name("stress", tests, setup, NULL);
}
