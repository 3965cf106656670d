/* SPDX-License-Identifier: MIT */
/*
 * Claims: the jobs that a worker has taken from the ring and not begun.
 *
 * Properties: each job of a claim is begun by its worker or taken away, once. A claim never holds a
 * job up: whoever has nothing to do takes from the claims of others, and so does, now and then,
 * whoever has.
 *
 * Operation: to take one job at a time from the ring costs more than a short job. So a worker takes
 * several when its jobs have been short and there is plenty for all. One word tells what is left of
 * them: `next` and `end`, indices of the worker's array. The worker moves next up without the lock;
 * others, with the lock, move end down.
 *
 * Safety: both move the word by compare-and-swap, so no job goes to two. The array is filled only
 * by its worker, with the lock and when nothing is left; who takes away reads it with the lock, so
 * it cannot be filled meanwhile.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "lib/pool.h"

static uint64_t word_of(uint32_t next, uint32_t end)
{
    return (uint64_t)next << 32 | end;
}

static uint32_t next_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t end_of(uint64_t word)
{
    return (uint32_t)word;
}

size_t claim_size(const struct rv_pool *pool, struct worker *worker)
{
    size_t size;

    /* Before it has run any it cannot know that they are short. */
    if (worker->job_time == 0 || worker->job_time > CLAIM_TIME / 2)
        return 1;
    size = MIN(ring_length(&pool->ring), (size_t)CLAIM_MAX);
    if ((rv_duration)size * worker->job_time > CLAIM_TIME)
        size = (size_t)(CLAIM_TIME / worker->job_time);
    if (size < 2)
        return 1;
    if (!worker->jobs)
        worker->jobs = malloc(CLAIM_MAX * sizeof(*worker->jobs));
    return worker->jobs ? size : 1;
}

void claim_publish(struct worker *worker, size_t count)
{
    assert(claim_left(worker) == 0 && count <= CLAIM_MAX);
    atomic_store_explicit(&worker->claim, word_of(0, (uint32_t)count), memory_order_relaxed);
}

bool claim_next(struct worker *worker, struct job *ret_job)
{
    uint64_t word = atomic_load_explicit(&worker->claim, memory_order_relaxed);

    do {
        if (next_of(word) == end_of(word))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&worker->claim, &word,
                                                    word_of(next_of(word) + 1, end_of(word)),
                                                    memory_order_relaxed, memory_order_relaxed));
    *ret_job = worker->jobs[next_of(word)];
    return true;
}

size_t claim_left(const struct worker *worker)
{
    uint64_t word = atomic_load_explicit(&worker->claim, memory_order_relaxed);

    return end_of(word) - next_of(word);
}

size_t claim_take_away(struct worker *worker, struct job *jobs, size_t limit)
{
    uint64_t word = atomic_load_explicit(&worker->claim, memory_order_relaxed);
    size_t count;

    do {
        count = MIN((size_t)(end_of(word) - next_of(word)), limit);
        if (count == 0)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(
        &worker->claim, &word, word_of(next_of(word), end_of(word) - (uint32_t)count),
        memory_order_relaxed, memory_order_relaxed));
    memcpy(jobs, &worker->jobs[end_of(word) - count], count * sizeof(*jobs));
    return count;
}
