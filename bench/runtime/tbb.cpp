/* SPDX-License-Identifier: MIT */
/* oneTBB's bounded queue, which blocks. */
#include <tbb/concurrent_queue.h>

extern "C" {
#include "bench/runtime/program.h"
}

struct queue {
    tbb::concurrent_bounded_queue<uint64_t> elements;
};

static void queue_open(struct queue *q, const struct size *size)
{
    q->elements.set_capacity((ptrdiff_t)size->capacity);
}

static size_t queue_put(struct queue *q, const uint64_t *values, size_t count)
{
    (void)count;
    q->elements.push(*values);
    return 1;
}

static size_t queue_get(struct queue *q, uint64_t *values, size_t limit)
{
    (void)limit;
    q->elements.pop(*values);
    return 1;
}

#include "bench/runtime/queue.h"

extern "C" const struct work works[] = {{"channel", queue_channel}, {NULL, NULL}};
