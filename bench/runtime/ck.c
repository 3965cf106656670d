/* SPDX-License-Identifier: MIT */
/* concurrencykit's ring of pointers, which blocks nobody. */
#include <ck_ring.h>
#include <stdbool.h>

#include "bench/runtime/program.h"

struct queue {
    ck_ring_t ring;
    ck_ring_buffer_t *buffer;
    bool single; /* one sender and one receiver, for whom it has quicker operations */
};

static void queue_open(struct queue *queue, const struct size *size);
static size_t queue_put(struct queue *queue, const uint64_t *values, size_t count);
static size_t queue_get(struct queue *queue, uint64_t *values, size_t limit);

#include "bench/runtime/queue.h"

static void queue_open(struct queue *q, const struct size *size)
{
    q->single = size->workers == 1;
    /* It holds one less than its size. */
    q->buffer = calloc(size->capacity * 2, sizeof(*q->buffer));
    ck_ring_init(&q->ring, (unsigned)size->capacity);
}

/* A pointer of NULL would do as well as any other. */
static size_t queue_put(struct queue *q, const uint64_t *values, size_t count)
{
    void *value = (void *)(uintptr_t)*values;

    (void)count;
    return q->single ? ck_ring_enqueue_spsc(&q->ring, q->buffer, value)
                     : ck_ring_enqueue_mpmc(&q->ring, q->buffer, value);
}

static size_t queue_get(struct queue *q, uint64_t *values, size_t limit)
{
    void *value;
    bool got = q->single ? ck_ring_dequeue_spsc(&q->ring, q->buffer, &value)
                         : ck_ring_dequeue_mpmc(&q->ring, q->buffer, &value);

    (void)limit;
    *values = got ? (uintptr_t)value : 0;
    return got;
}

const struct work works[] = {{"channel", queue_channel}, {NULL, NULL}};
