/* SPDX-License-Identifier: MIT */
/* A pool's workers; pool.h has the protocol. */
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "lib/pool.h"

#define LOOK_PACE 32

/* What is in others' claims is looked at even while there are jobs in the ring: before each that takes longer than a
 * claim may, and else so often. */
#define STEAL_EVERY 32

/* Of jobs that are so short others may gather meanwhile. */
#define FLOWING_JOB (500 * RV_NANOSECOND)
#define GATHERED    64

/* With the lock ----------------------------------------------------------------------------------
 */

/* Nobody was told of work that came while a wake-up was in flight or a worker looked; and what is in
 * claims or due is told to nobody at all. Returns whom to unpark, or NULL. */
static struct parker *wake_next(struct rv_pool *pool)
{
    if (list_is_empty(&pool->idle) || !pool_has_work(pool) || pool_keep_up(pool))
        return NULL;
    return pool_wake_worker(pool);
}

/* Sleeps until it is taken off the idle list, the lock given up meanwhile. */
static void sleep_idle(struct rv_pool *pool, struct worker *worker)
{
    bool sleeps_on = worker->from != 0, in_time = true;
    rv_duration deadline = sleeps_on ? rv_now() + POOL_SLEEP_ON : RV_FOREVER;

    while (worker->idle && in_time) {
        pthread_mutex_unlock(&pool->lock);
        in_time = parker_sleep(worker->parker, deadline);
        pthread_mutex_lock(&pool->lock);
    }
    if (worker->idle) {
        pool_take_off_idle(worker);
    } else {
        /* Whoever woke us may have been the one wake-up in flight; it has landed. */
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
    pool_keep_up(pool);
}

/* Without the lock -------------------------------------------------------------------------------
 */

static void report(struct rv_pool *pool, const struct taken_job *taken, enum rv_job_state state,
                   int code, const char *text, rv_duration duration)
{
    struct rv_job_end end = {
        .fn = taken->job.fn,
        .arg = taken->job.arg,
        .state = state,
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
    bool timed = pool->options.timeout > 0;
    bool measured = pool->options.ended != NULL;
    rv_duration start = measured ? rv_now() : 0;
    int r;

    taken->attempts++;
    r = timed ? rv_context_with_timeout(pool->ctx, pool->options.timeout, &ctx) : 0;
    if (r < 0)
        return rv_fail(r, "cannot time the job");
    r = call_function(taken->job.fn, ctx, taken->job.arg);
    if (timed) {
        /* Whoever still holds the context sees that its run is over. */
        rv_context_cancel(ctx, 0, NULL);
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
    report(pool, taken, RV_JOB_LOST, cause.code, cause.text, 0);
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
        report(pool, taken, RV_JOB_FINISHED, 0, "", duration);
        count_one(&worker->finished);
    } else if (r == -EBADMSG || !retry_put_aside(pool, taken)) {
        report(pool, taken, RV_JOB_FAILED, r, rv_error_text(), duration);
        count_one(&worker->failed);
    }
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
}

/* With the lock: half of another's claim, or all. Of several the worker claims the rest. */
static bool steal(struct rv_pool *pool, struct worker *worker, bool all, struct job *ret_job)
{
    struct worker *other;
    struct job one, *jobs = worker->jobs ? worker->jobs : &one;

    LIST_FOREACH (other, &pool->workers_list, all_list) {
        size_t left = claim_left(other), limit = all ? left : (left + 1) / 2;
        size_t count = claim_take_away(other, jobs, worker->jobs ? limit : 1);

        if (count == 0)
            continue;
        *ret_job = jobs[--count];
        if (worker->jobs)
            claim_publish(worker, count);
        return true;
    }
    return false;
}

/* With the lock: a job that nobody has begun, wherever it is. */
static bool take_any(struct rv_pool *pool, struct taken_job *ret_taken)
{
    struct worker *other;
    struct ring_signs signs;

    if (retry_take(pool, ret_taken))
        return true;
    ret_taken->attempts = 0;
    if (ring_pop(&pool->ring, &ret_taken->job, sizeof(ret_taken->job), &signs) == ATTEMPT_DONE)
        return true;
    LIST_FOREACH (other, &pool->workers_list, all_list)
        if (claim_take_away(other, &ret_taken->job, 1) > 0)
            return true;
    return false;
}

/* With the lock, which it gives up for the reports. */
void pool_lose_all(struct rv_pool *pool, const struct rv_cause *cause)
{
    struct taken_job taken;

    retry_hasten(pool);
    while (take_any(pool, &taken)) {
        pthread_mutex_unlock(&pool->lock);
        report(pool, &taken, RV_JOB_LOST, cause->code, cause->text, 0);
        pthread_mutex_lock(&pool->lock);
        pool->lost++;
    }
    pool_check_drained(pool);
}

/* After jobs have left the ring, and others may want what there is now. */
static void wake_others(struct rv_pool *pool, bool wake_worker)
{
    struct parker *other, *submitter;

    pthread_mutex_lock(&pool->lock);
    other = wake_worker ? wake_next(pool) : NULL;
    submitter = pool_wake_submitters(pool);
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(other);
    parker_unpark(submitter);
}

/* With the lock: several jobs, as the worker's claim, and the first of them. Returns how many. */
static size_t pop_claim(struct rv_pool *pool, struct worker *worker, size_t size,
                        struct job *ret_job, struct ring_signs *ret_signs)
{
    struct ring_span span;

    if (ring_pop_begin(&pool->ring, size, &span, ret_signs) != ATTEMPT_DONE)
        return 0;
    ring_copy_out(&pool->ring, &span, worker->jobs);
    ring_popped(&pool->ring, &span);
    claim_publish(worker, span.count);
    claim_next(worker, ret_job); /* whoever would take it away has to have the lock */
    return span.count;
}

/* From the ring. More than one becomes the worker's claim. */
static bool pop(struct rv_pool *pool, struct worker *worker, struct job *ret_job)
{
    bool gather = worker->coming_back && worker->job_time < FLOWING_JOB &&
                  ring_length(&pool->ring) < GATHERED;
    size_t size, count;
    struct ring_signs signs;
    bool more;

    if (gather)
        flow_gather(&worker->flow);
    size = claim_size(pool, worker);
    if (size > 1) {
        pthread_mutex_lock(&pool->lock);
        count = pop_claim(pool, worker, size, ret_job, &signs);
        pthread_mutex_unlock(&pool->lock);
    } else {
        count = ring_pop(&pool->ring, ret_job, sizeof(*ret_job), &signs) == ATTEMPT_DONE;
    }
    worker->coming_back = count > 0;
    if (gather)
        flow_learn(&worker->flow, count);
    if (count == 0)
        return false;
    more = worker->landed || count > 1 || ring_length(&pool->ring) > 0;
    more = more && (atomic_load(&pool->ring.tail) & RING_TELL);
    worker->landed = false;
    if (more || signs.tell)
        wake_others(pool, more);
    return true;
}

/* A claim whose worker is in a long job: it came before what is in the ring. */
static bool take_left(struct rv_pool *pool, struct worker *worker, struct job *ret_job)
{
    struct parker *other = NULL;
    bool taken;

    if (pool->options.workers == 1 ||
        (worker->job_time < CLAIM_TIME && ++worker->turns % STEAL_EVERY != 0))
        return false;
    pthread_mutex_lock(&pool->lock);
    taken = steal(pool, worker, true, ret_job);
    if (taken) {
        other = wake_next(pool);
        worker->landed = false;
    }
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(other);
    return taken;
}

static bool take_work(struct rv_pool *pool, struct worker *worker, struct taken_job *ret_taken)
{
    struct parker *other = NULL, *submitter = NULL;
    bool taken;

    ret_taken->attempts = 0;
    if (take_left(pool, worker, &ret_taken->job))
        return true;
    if (atomic_load(&pool->due_count) == 0 && pop(pool, worker, &ret_taken->job))
        return true;
    pthread_mutex_lock(&pool->lock);
    taken = retry_take(pool, ret_taken);
    if (taken)
        submitter = pool_wake_submitter(pool);
    else
        taken = steal(pool, worker, false, &ret_taken->job);
    if (taken) {
        other = wake_next(pool);
        worker->landed = false;
    }
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(other);
    parker_unpark(submitter);
    return taken;
}

/* Returns false when there is nothing to do. */
static bool work_once(struct rv_pool *pool, struct worker *worker)
{
    struct taken_job taken;
    rv_duration start;
    unsigned count = 0;

    if (!take_work(pool, worker, &taken))
        return false;
    /* The cancel came before this worker took the job, and no job starts after a cancel; nor again after
     * a discard, which leaves those to us whose timer was running just then. */
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
    /* A cancel after this worker's look at the context has woken only workers that were idle then. */
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
