/* SPDX-License-Identifier: MIT */
/* Jobs that have failed and wait for their next attempt; pool.h has the protocol. */
#include <stdlib.h>

#include "base/macro.h"
#include "lib/pool.h"

/* With the lock. */
static void make_due(struct rv_pool *pool, struct retry *retry)
{
    list_remove(&retry->list);
    list_append(&pool->due, &retry->list);
    atomic_fetch_add(&pool->due_count, 1);
}

static void timer_due(struct timer *timer)
{
    struct retry *retry = container_of(timer, struct retry, timer);
    struct rv_pool *pool = retry->pool;
    struct parker *wake;

    pthread_mutex_lock(&pool->lock);
    make_due(pool, retry);
    /* A cancelled pool's workers report it as lost. */
    wake = pool_wake_worker(pool);
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(wake);
}

/* From 3/4 to 5/4, so that jobs that failed together do not come back together. */
static rv_duration with_jitter(rv_duration delay)
{
    return delay == RV_FOREVER
               ? RV_FOREVER
               : duration_add(delay / 4 * 3, delay / 2 / 1024 * ((rv_now() >> 4) % 1024));
}

/* When the next attempt is due. */
static rv_time retry_time(const struct rv_pool_options *options, unsigned attempts)
{
    rv_duration delay = options->backoff;

    for (unsigned i = 1; i < attempts && delay < options->backoff_max; i++)
        delay = duration_add(delay, delay);
    return duration_add(rv_now(), with_jitter(MIN(delay, options->backoff_max)));
}

bool retry_put_aside(struct rv_pool *pool, const struct taken_job *taken)
{
    struct retry *retry;
    bool armed;

    if (taken->attempts > pool->options.retries || rv_context_err(pool->ctx) != 0)
        return false;
    retry = calloc(1, sizeof(*retry));
    if (!retry)
        return false;
    retry->timer.fn = timer_due;
    retry->pool = pool;
    retry->taken = *taken;
    pthread_mutex_lock(&pool->lock);
    armed = !pool->discarded &&
            timer_arm(&retry->timer, retry_time(&pool->options, taken->attempts)) == 0;
    if (armed) {
        list_append(&pool->retries, &retry->list);
        pool->retry_count++;
        pool->retried++;
        atomic_fetch_sub(&pool->ring.capacity, 1);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!armed)
        free(retry);
    return armed;
}

bool retry_take(struct rv_pool *pool, struct taken_job *ret_taken)
{
    struct retry *retry;

    if (list_is_empty(&pool->due))
        return false;
    retry = list_entry(pool->due.next, struct retry, list);
    list_remove(&retry->list);
    atomic_fetch_sub(&pool->due_count, 1);
    pool->retry_count--;
    atomic_fetch_add(&pool->ring.capacity, 1);
    *ret_taken = retry->taken;
    free(retry);
    return true;
}

void retry_hasten(struct rv_pool *pool)
{
    struct retry *retry, *next;

    /* One whose timer runs at this moment becomes due by itself, and a worker reports it. */
    LIST_FOREACH_SAFE (retry, next, &pool->retries, list)
        if (timer_disarm(&retry->timer))
            make_due(pool, retry);
}
