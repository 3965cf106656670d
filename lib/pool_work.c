/* SPDX-License-Identifier: MIT */
/* A pool's workers; pool.h has the protocol. */
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "lib/pool.h"

#define LOOK_PACE 32

/* With the lock ----------------------------------------------------------- */

/* Sleeps until it is taken off the idle list, the lock given up meanwhile. */
static void sleep_idle(struct rv_pool *pool, struct worker *worker)
{
    bool sleeps_on = worker->from != 0, in_time = true;
    rv_time deadline = sleeps_on ? rv_now() + POOL_SLEEP_ON : RV_NEVER;

    while (worker->idle && in_time) {
        pthread_mutex_unlock(&pool->lock);
        in_time = parker_sleep(worker->parker, deadline);
        pthread_mutex_lock(&pool->lock);
    }
    if (worker->idle) {
        pool_take_off_idle(worker);
    } else {
        /* The call that woke us may have been the one wake-up in flight; it has landed. */
        pool->waking = false;
        place_woken(&pool->workers_place);
    }
    if (sleeps_on)
        place_learn(&pool->workers_place, ring_length(&pool->ring));
}

/* With the lock, given up meanwhile. */
static void wait_idle(struct rv_pool *pool, struct worker *worker)
{
    worker->idle = true;
    worker->from =
        place_sleep_on(&pool->workers_place) ? ring_pushes(&pool->ring) + pool->options.queue : 0;
    list_prepend(&pool->idle, &worker->list);
    pool->keeping_up = false;
    pool_tell_of_workers(pool);
    if (pool_has_work(pool)) {
        pool_take_off_idle(worker);
        pool_tell_of_workers(pool);
        return;
    }
    sleep_idle(pool, worker);
    worker->landed = true;
    /* For one job, which it takes itself, a timer is not worth arming: that wakes a thread. */
    if (pool->watched || ring_length(&pool->ring) > 1)
        pool_keep_up(pool);
    else
        pool_tell_of_workers(pool);
}

/* Without the lock -------------------------------------------------------- */

static void report(struct rv_pool *pool, const struct taken_job *taken, enum rv_outcome_kind kind,
                   int code, const char *text, rv_duration duration)
{
    struct rv_outcome end = {
        .fn = taken->job.fn,
        .arg = taken->job.arg,
        .kind = kind,
        .code = code,
        .attempts = taken->attempts,
        .text = text,
        .duration = duration,
    };

    if (pool->options.ended)
        pool->options.ended(&end, pool->options.arg);
}

static int make_attempt(struct rv_pool *pool, struct taken_job *taken, rv_duration *ret_duration)
{
    struct rv_context *ctx = pool->ctx;
    bool timed = pool->options.timeout != RV_FOREVER;
    bool measured = pool->options.ended != NULL;
    rv_time start = measured ? rv_now() : 0;
    int r;

    taken->attempts++;
    r = timed ? rv_context_with_timeout(pool->ctx, pool->options.timeout, &ctx, NULL) : 0;
    if (r < 0)
        return rv_fail(r, "cannot time the job");
    r = call_function(taken->job.fn, ctx, taken->job.arg);
    if (timed) {
        /* A thread that still holds the context sees that its run is over. */
        rv_context_cancel(cancel_of(ctx), 0, NULL);
        rv_context_unref(ctx);
    }
    *ret_duration = measured ? rv_now() - start : 0;
    return r;
}

static void report_lost(struct rv_pool *pool, const struct taken_job *taken)
{
    struct rv_cause cause;

    if (rv_context_cause(pool->ctx, &cause) == 0)
        cause = pool->discard;
    report(pool, taken, RV_OUTCOME_LOST, cause.code, cause.text, 0);
    pthread_mutex_lock(&pool->lock);
    pool->lost++;
    pthread_mutex_unlock(&pool->lock);
}

static void count_one(_Atomic uint64_t *counter)
{
    /* With release: who sees it also sees the job taken. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_release);
}

static void run_job(struct rv_pool *pool, struct worker *worker, struct taken_job *taken)
{
    rv_duration duration = 0;
    int r;

    atomic_store_explicit(&worker->busy, true, memory_order_relaxed);
    r = make_attempt(pool, taken, &duration);
    if (r >= 0) {
        report(pool, taken, RV_OUTCOME_FINISHED, 0, "", duration);
        count_one(&worker->finished);
    } else if (r == -EBADMSG || !retry_put_aside(pool, taken)) {
        report(pool, taken, RV_OUTCOME_FAILED, r, rv_error_text(r), duration);
        count_one(&worker->failed);
    }
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
}

/* With the lock, which it gives up for the reports. */
void pool_lose_all(struct rv_pool *pool, const struct rv_cause *cause)
{
    struct taken_job taken;

    retry_hasten(pool);
    while (pool_take_any(pool, &taken)) {
        pthread_mutex_unlock(&pool->lock);
        report(pool, &taken, RV_OUTCOME_LOST, cause->code, cause->text, 0);
        pthread_mutex_lock(&pool->lock);
        pool->lost++;
    }
    pool_check_drained(pool);
}

/* Returns false when there is nothing to do. */
static bool work_once(struct rv_pool *pool, struct worker *worker)
{
    struct taken_job taken;
    rv_time start;
    unsigned count = 0;

    if (!pool_take_work(pool, worker, &taken))
        return false;
    /* The cancel came before this worker took the job, and no job starts after a cancel; nor again
     * after a discard, which leaves those to us whose timer was running just then. */
    if (rv_context_err(pool->ctx) != 0 || (taken.attempts > 0 && pool->discarded)) {
        report_lost(pool, &taken);
        return true;
    }
    start = rv_now();
    do {
        run_job(pool, worker, &taken);
        taken.attempts = 0;
        count++;
    } while (rv_context_err(pool->ctx) == 0 && claim_next(worker, &taken.job));
    worker->job_time = (rv_now() - start) / count + 1;
    atomic_store_explicit(&pool->job_time, worker->job_time, memory_order_relaxed);
    return true;
}

static bool has_jobs(const void *arg)
{
    const struct rv_pool *pool = arg;

    return ring_length(&pool->ring) > 0;
}

/* Looks at the ring where that has paid. Returns false when it is not worth it. */
static bool look_for_work(struct rv_pool *pool, struct worker *worker)
{
    bool may;

    if (!hope_is_left(&worker->hope))
        return false;
    pthread_mutex_lock(&pool->lock);
    pool_check_drained(pool);
    may = !pool->looked_for && !pool->stopping;
    if (may) {
        pool->looked_for = true;
        pool_tell_of_workers(pool);
        pthread_mutex_unlock(&pool->lock);
        hope_spin(&worker->hope, LOOK_PACE, has_jobs, pool);
        pthread_mutex_lock(&pool->lock);
        pool->looked_for = false;
        worker->landed = true;
        pool_tell_of_workers(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return may;
}

/* Waits for work. Returns false when the worker is to end, and then with the lock. */
static bool rest(struct rv_pool *pool, struct worker *worker)
{
    pthread_mutex_lock(&pool->lock);
    pool_check_drained(pool);
    if (pool->stopping && ring_length(&pool->ring) == 0 && pool->retry_count == 0)
        return false;
    /* A cancel after this worker's look at the context has woken only workers that were idle then.
     */
    if (rv_context_err(pool->ctx) == 0 || pool->retry_count == 0)
        wait_idle(pool, worker);
    pthread_mutex_unlock(&pool->lock);
    return true;
}

static void lose_all(struct rv_pool *pool)
{
    struct rv_cause cause;

    rv_context_cause(pool->ctx, &cause);
    pthread_mutex_lock(&pool->lock);
    pool_lose_all(pool, &cause);
    pthread_mutex_unlock(&pool->lock);
}

void pool_work(void *arg)
{
    struct rv_pool *pool = arg;
    struct worker worker = {.parker = parker_self()};
    bool looked = false, going = true;

    list_init(&worker.list);
    pthread_mutex_lock(&pool->lock);
    list_append(&pool->workers_list, &worker.all_list);
    pthread_mutex_unlock(&pool->lock);
    while (going) {
        if (rv_context_err(pool->ctx) != 0) {
            lose_all(pool);
        } else if (work_once(pool, &worker)) {
            looked = false;
            continue;
        } else if (!looked && look_for_work(pool, &worker)) {
            looked = true;
            continue;
        }
        going = rest(pool, &worker);
        looked = false;
    }
    list_remove(&worker.all_list);
    pool->finished += worker.finished;
    pool->failed += worker.failed;
    executor_retire();
    if (--pool->workers == 0)
        pthread_cond_broadcast(&pool->all_gone);
    else
        pool_wake_all_workers(pool);
    pthread_mutex_unlock(&pool->lock);
    free(worker.jobs);
}
