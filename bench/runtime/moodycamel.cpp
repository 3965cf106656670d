/* SPDX-License-Identifier: MIT */
/* moodycamel's ConcurrentQueue with tokens: its receivers block, its senders give way at its bound. */
#include <concurrentqueue/blockingconcurrentqueue.h>

extern "C" {
#include "bench/runtime/program.h"
}

struct queue {
    moodycamel::BlockingConcurrentQueue<uint64_t> *elements;
    size_t capacity;
};

static void queue_open(struct queue *q, const struct size *size)
{
    q->capacity = size->capacity;
    q->elements = new moodycamel::BlockingConcurrentQueue<uint64_t>(size->capacity);
}

static size_t queue_put(struct queue *q, const uint64_t *values, size_t count)
{
    static thread_local moodycamel::ProducerToken token(*q->elements);

    if (q->elements->size_approx() + count > q->capacity)
        return 0;
    return q->elements->enqueue_bulk(token, values, count) ? count : 0;
}

static size_t queue_get(struct queue *q, uint64_t *values, size_t limit)
{
    static thread_local moodycamel::ConsumerToken token(*q->elements);

    return q->elements->wait_dequeue_bulk(token, values, limit);
}

#define QUEUE_MANY
#include "bench/runtime/queue.h"

extern "C" const struct work works[] = {
    {"channel", queue_channel}, {"channel-many", queue_channel_many}, {NULL, NULL}};
