/* SPDX-License-Identifier: MIT */
/*
 * The works "channel" and "channel-many" for queues of others: as many senders as receivers,
 * threads of their own, and the sum of all elements. A peer gives the four operations; one that
 * does not block says with 0 that it could not, and its caller gives way, as its users do.
 *
 * To be included, in C or C++, after the peer has defined:
 *
 *     struct queue;                                      with what it needs
 *     void queue_open(struct queue *, const struct size *);
 *     size_t queue_put(struct queue *, const uint64_t *values, size_t count);   how many were
 *     size_t queue_get(struct queue *, uint64_t *values, size_t limit);
 */
#ifndef REEVE_BENCH_QUEUE_H
#define REEVE_BENCH_QUEUE_H

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define BATCH 64
#define END   UINT64_MAX /* one for each receiver, after all else */

static struct queue queue;
static size_t batch = 1;

struct queue_side {
    pthread_t thread;
    uint64_t first, count, sum;
};

static void put_all(const uint64_t *values, size_t count)
{
    while (count > 0) {
        size_t done = queue_put(&queue, values, count < batch ? count : batch);

        if (done == 0)
            sched_yield();
        values += done;
        count -= done;
    }
}

static void *put_side(void *arg)
{
    struct queue_side *side = (struct queue_side *)arg;
    uint64_t values[BATCH], end = side->first + side->count;

    for (uint64_t i = side->first; i < end;) {
        size_t count = 0;

        while (count < batch && i < end)
            values[count++] = i++;
        put_all(values, count);
    }
    return NULL;
}

static void *get_side(void *arg)
{
    struct queue_side *side = (struct queue_side *)arg;
    uint64_t values[BATCH];

    for (;;) {
        size_t count = queue_get(&queue, values, batch);

        if (count == 0)
            sched_yield();
        for (size_t i = 0; i < count; i++) {
            if (values[i] == END) {
                /* The elements that came with it are for the others. */
                put_all(values + i + 1, count - i - 1);
                return NULL;
            }
            side->sum += values[i];
        }
    }
}

static uint64_t queue_channel(const struct size *size)
{
    struct queue_side *senders =
        (struct queue_side *)calloc(size->workers, sizeof(struct queue_side));
    struct queue_side *receivers =
        (struct queue_side *)calloc(size->workers, sizeof(struct queue_side));
    uint64_t each = size->count / size->workers, sum = 0, last = END;

    queue_open(&queue, size);
    begin();
    for (unsigned i = 0; i < size->workers; i++) {
        senders[i].first = i * each;
        senders[i].count = each;
        check(-pthread_create(&receivers[i].thread, NULL, get_side, &receivers[i]),
              "pthread_create");
        check(-pthread_create(&senders[i].thread, NULL, put_side, &senders[i]), "pthread_create");
    }
    for (unsigned i = 0; i < size->workers; i++)
        pthread_join(senders[i].thread, NULL);
    for (unsigned i = 0; i < size->workers; i++)
        put_all(&last, 1);
    for (unsigned i = 0; i < size->workers; i++) {
        pthread_join(receivers[i].thread, NULL);
        sum += receivers[i].sum;
    }
    end();
    free(senders);
    free(receivers);
    return sum;
}

#ifdef QUEUE_MANY
static uint64_t queue_channel_many(const struct size *size)
{
    batch = BATCH;
    return queue_channel(size);
}
#endif

#endif
