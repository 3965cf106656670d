/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "lib/pool.h"

/* With the lock ----------------------------------------------------------------------------------
 */

void pool_push(struct rv_pool *pool, const struct job *job)
{
    size_t place = pool->head + pool->length++;

    assert(pool->length <= pool->ring_size);
    pool->ring[place >= pool->ring_size ? place - pool->ring_size : place] = *job;
}

static struct job pop(struct rv_pool *pool)
{
    struct job job = pool->ring[pool->head];

    pool->head = pool->head + 1 == pool->ring_size ? 0 : pool->head + 1;
    pool->length--;
    return job;
}

static void unpark(struct worker *worker)
{
    list_remove(&worker->list);
    worker->idle = false;
    parker_unpark(worker->parker);
}

void pool_wake_worker(struct rv_pool *pool)
{
    if (pool->waking || list_is_empty(&pool->idle))
        return;
    pool->waking = true;
    unpark(list_entry(pool->idle.next, struct worker, list));
}

void pool_wake_all_workers(struct rv_pool *pool)
{
    while (!list_is_empty(&pool->idle))
        unpark(list_entry(pool->idle.next, struct worker, list));
}

void pool_wake_waiters(struct list *waiters, size_t count)
{
    while (count > 0 && !list_is_empty(waiters)) {
        struct pool_waiter *waiter = list_entry(waiters->next, struct pool_waiter, list);

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1)) {
            parker_unpark(waiter->wait.parker);
            count--;
        }
    }
}

bool pool_is_empty(const struct rv_pool *pool)
{
    return pool->length + pool->retry_count + pool->active == 0;
}

static void check_drained(struct rv_pool *pool)
{
    if (pool_is_empty(pool))
        pool_wake_waiters(&pool->drainers, SIZE_MAX);
}

static void wait_idle(struct rv_pool *pool, struct worker *worker)
{
    worker->idle = true;
    list_prepend(&pool->idle, &worker->list);
    while (worker->idle) {
        pthread_mutex_unlock(&pool->lock);
        parker_park(worker->parker, RV_FOREVER);
        pthread_mutex_lock(&pool->lock);
    }
    /* Whoever woke us may have been the one wake-up in flight; it has landed. */
    pool->waking = false;
}

/* Without the lock -------------------------------------------------------------------------------
 */

static void report(struct rv_pool *pool, const struct job *job, enum rv_job_state state, int code,
                   const char *text, rv_duration duration)
{
    struct rv_job_end end = {
        .fn = job->fn,
        .arg = job->arg,
        .state = state,
        .code = code,
        .attempts = job->attempts,
        .text = text,
        .duration = duration,
    };

    if (pool->options.ended)
        pool->options.ended(&end, pool->options.arg);
}

static void retry_due(struct timer *timer)
{
    struct retry *retry = container_of(timer, struct retry, timer);
    struct rv_pool *pool = retry->pool;

    pthread_mutex_lock(&pool->lock);
    list_remove(&retry->list);
    pool->retry_count--;
    pool_push(pool, &retry->job);
    /* A cancelled pool's workers report it as lost. */
    pool_wake_worker(pool);
    pthread_mutex_unlock(&pool->lock);
    free(retry);
}

static rv_duration backoff(const struct rv_pool_options *options, unsigned attempts)
{
    rv_duration delay = options->backoff;

    for (unsigned i = 1; i < attempts && delay < options->backoff_max; i++)
        delay = delay > options->backoff_max / 2 ? options->backoff_max : delay * 2;
    delay = MIN(delay, options->backoff_max);
    /* From 3/4 to 5/4, so that jobs that failed together do not come back together. */
    return delay / 4 * 3 + delay / 2 / 1024 * ((rv_now() >> 4) % 1024);
}

/* Puts a failed job aside for its next attempt. Returns false when it has none, or there is no
 * memory. */
static bool put_aside(struct rv_pool *pool, const struct job *job)
{
    struct retry *retry;

    if (job->attempts > pool->options.retries || rv_context_err(pool->ctx) != 0)
        return false;
    retry = calloc(1, sizeof(*retry));
    if (!retry)
        return false;
    retry->timer.fn = retry_due;
    retry->pool = pool;
    retry->job = *job;
    pthread_mutex_lock(&pool->lock);
    list_append(&pool->retries, &retry->list);
    pool->retry_count++;
    pool->retried++;
    pool->active--;
    if (timer_arm(&retry->timer, rv_now() + backoff(&pool->options, job->attempts)) < 0) {
        list_remove(&retry->list);
        pool->retry_count--;
        pool->retried--;
        pool->active++;
        pthread_mutex_unlock(&pool->lock);
        free(retry);
        return false;
    }
    pthread_mutex_unlock(&pool->lock);
    return true;
}

static int attempt(struct rv_pool *pool, struct job *job, rv_duration *ret_duration)
{
    struct rv_context *ctx = pool->ctx;
    bool timed = pool->options.timeout > 0;
    bool measured = pool->options.ended != NULL;
    rv_duration start = measured ? rv_now() : 0;
    int r;

    job->attempts++;
    if (timed && rv_context_with_timeout(pool->ctx, pool->options.timeout, &ctx) < 0)
        return rv_fail(-ENOMEM, "no memory for the job's context");
    r = call_function(job->fn, ctx, job->arg);
    if (timed) {
        /* Whoever still holds the context sees that its run is over. */
        rv_context_cancel(ctx, 0, NULL);
        rv_context_unref(ctx);
    }
    *ret_duration = measured ? rv_now() - start : 0;
    return r;
}

/* Returns the counter of how it ended, or NULL when it waits for a retry. */
static uint64_t *run_job(struct rv_pool *pool, struct job *job)
{
    rv_duration duration = 0;
    int r;

    r = attempt(pool, job, &duration);
    if (r >= 0) {
        report(pool, job, RV_JOB_FINISHED, 0, "", duration);
        return &pool->finished;
    }
    if (put_aside(pool, job))
        return NULL;
    report(pool, job, RV_JOB_FAILED, r, rv_error_text(), duration);
    return &pool->failed;
}

/* With the lock, which it gives up for the reports. */
void pool_lose_all(struct rv_pool *pool, const struct rv_cause *cause)
{
    struct retry *retry, *next;

    /* One whose timer runs at this moment comes into the ring by itself. */
    LIST_FOREACH_SAFE (retry, next, &pool->retries, list) {
        if (!timer_disarm(&retry->timer))
            continue;
        list_remove(&retry->list);
        pool->retry_count--;
        pool_push(pool, &retry->job);
        free(retry);
    }
    while (pool->length > 0) {
        struct job job = pop(pool);

        pool->active++;
        pthread_mutex_unlock(&pool->lock);
        report(pool, &job, RV_JOB_LOST, cause->code, cause->text, 0);
        pthread_mutex_lock(&pool->lock);
        pool->active--;
        pool->lost++;
    }
    check_drained(pool);
}

/* With the lock, which it gives up while the job runs. */
static void work_once(struct rv_pool *pool)
{
    struct job job = pop(pool);
    uint64_t *ended;

    pool->active++;
    pool_wake_waiters(&pool->submitters, 1);
    if (pool->length > 0)
        pool_wake_worker(pool);
    pthread_mutex_unlock(&pool->lock);
    ended = run_job(pool, &job);
    pthread_mutex_lock(&pool->lock);
    if (ended) {
        ++*ended;
        pool->active--;
    }
    check_drained(pool);
}

void pool_work(void *arg)
{
    struct rv_pool *pool = arg;
    struct worker worker = {.parker = parker_self()};
    struct rv_cause cause;

    list_init(&worker.list);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (rv_context_cause(pool->ctx, &cause) != 0)
            pool_lose_all(pool, &cause);
        else if (pool->length > 0) {
            work_once(pool);
            continue;
        }
        if (pool->stopping && pool->length + pool->retry_count == 0)
            break;
        wait_idle(pool, &worker);
    }
    executor_retire();
    if (--pool->workers == 0)
        pthread_cond_broadcast(&pool->workers_gone);
    else
        pool_wake_all_workers(pool);
    pthread_mutex_unlock(&pool->lock);
}
