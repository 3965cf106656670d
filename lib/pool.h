/* SPDX-License-Identifier: MIT */
/*
 * Pools from within, for pool.c (submitting, life) and pool_work.c (workers, retries).
 *
 * Properties: accepted = finished + failed + lost + queued + active, at every moment. After the
 * pool's context is done no job starts. Every accepted job is reported once. No job waits while a
 * worker idles.
 *
 * Operation: a ring of jobs; a worker takes one at a time. At most one wake-up of a worker is in
 * flight: the woken worker wakes the next if there is more to do. Jobs that wait for a retry keep
 * their place in the capacity: submitters wait for them too. When the context
 * is done, workers report what is left as lost.
 *
 * Safety: the lock protects everything but ctx and options. An idle worker is on the idle list, and
 * whoever takes it off unparks it; it takes the lock before it looks at anything, so no wake-up is
 * lost. Submitters that wait take the lock once more before they return. Retries are freed by
 * whoever takes them out of `retries` under the lock.
 */
#ifndef REEVE_LIB_POOL_H
#define REEVE_LIB_POOL_H

#include <reeve/pool.h>

#include "lib/internal.h"

struct job {
    rv_function fn;
    void *arg;
    unsigned attempts; /* made so far */
};

/* A job that waits for its next attempt. */
struct retry {
    struct list list;
    struct timer timer;
    struct rv_pool *pool;
    struct job job;
};

struct worker {
    struct list list; /* in idle */
    struct parker *parker;
    bool idle;
};

struct rv_pool {
    struct rv_context *ctx;
    struct context_hook hook;
    struct rv_pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t workers_gone;
    struct job *ring;
    size_t ring_size; /* capacity, and a place for each job that a worker may put aside */
    size_t capacity;
    size_t head, length;
    struct list idle;
    bool waking;
    struct list submitters; /* that wait for room */
    struct list drainers;   /* that wait for the end of all jobs */
    struct list retries;
    size_t retry_count;
    unsigned workers; /* that have not ended */
    size_t active;    /* taken by workers, and not reported */
    bool draining;
    bool stopping;
    uint64_t accepted, finished, failed, lost, retried;
};

/* A submitter or drainer. */
struct pool_waiter {
    struct list list;
    struct wait wait;
};

/* pool_work.c */
void pool_work(void *arg);
/* All with the lock. */
void pool_push(struct rv_pool *pool, const struct job *job);
void pool_wake_worker(struct rv_pool *pool);
void pool_wake_all_workers(struct rv_pool *pool);
void pool_wake_waiters(struct list *waiters, size_t count);
bool pool_is_empty(const struct rv_pool *pool);
/* Gives the lock up for the reports. */
void pool_lose_all(struct rv_pool *pool, const struct rv_cause *cause);

#endif
