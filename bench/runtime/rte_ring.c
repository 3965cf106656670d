/* SPDX-License-Identifier: MIT */
/* DPDK's ring, which blocks nobody, without the rest of DPDK: rte_ring_init() takes any memory. */
#include <rte_ring.h>

#include "bench/runtime/program.h"

struct queue {
    struct rte_ring *ring;
};

static void queue_open(struct queue *queue, const struct size *size);
static size_t queue_put(struct queue *queue, const uint64_t *values, size_t count);
static size_t queue_get(struct queue *queue, uint64_t *values, size_t limit);

#define QUEUE_MANY
#include "bench/runtime/queue.h"

static void queue_open(struct queue *q, const struct size *size)
{
    /* Of many threads one may lose its processor in the middle of a call. In the usual mode all
     * others then turn until it has one again: on two processors a round took ten minutes. This one
     * is made for that. */
    unsigned flags =
        size->workers == 1 ? RING_F_SP_ENQ | RING_F_SC_DEQ : RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ;
    /* It holds one less than its size. */
    ssize_t bytes = rte_ring_get_memsize((unsigned)size->capacity);

    check((int)bytes, "rte_ring_get_memsize");
    q->ring = aligned_alloc(RTE_CACHE_LINE_SIZE * 2, ((size_t)bytes + 255) & ~(size_t)255);
    check(rte_ring_init(q->ring, "bench", (unsigned)size->capacity, flags), "rte_ring_init");
}

static size_t queue_put(struct queue *q, const uint64_t *values, size_t count)
{
    return rte_ring_enqueue_burst(q->ring, (void *const *)(const void *)values, (unsigned)count,
                                  NULL);
}

static size_t queue_get(struct queue *q, uint64_t *values, size_t limit)
{
    return rte_ring_dequeue_burst(q->ring, (void **)(void *)values, (unsigned)limit, NULL);
}

const struct work works[] = {
    {"channel", queue_channel}, {"channel-many", queue_channel_many}, {NULL, NULL}};
