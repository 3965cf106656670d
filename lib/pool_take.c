/* SPDX-License-Identifier: MIT */
/* How a pool's workers come by jobs: from the ring, by themselves or in claims, from retries that
 * are due, and from the claims of others; pool.h has the protocol. */
#include "base/macro.h"
#include "lib/pool.h"

/* A worker looks at others' claims even while there are jobs in the ring: before each job that
 * takes longer than a claim may, and else once in so many jobs. */
#define STEAL_EVERY 32

/* Of jobs that are so short others may gather meanwhile. */
#define FLOWING_JOB (500 * RV_NANOSECOND)
#define GATHERED    64

/* A submitter tells nobody of work that comes while a wake-up is in flight or a worker looks, and
 * nothing tells of what is in claims or due. Returns whom to unpark, or NULL. */
static struct parker *wake_next(struct rv_pool *pool)
{
    if (list_is_empty(&pool->idle) || !pool_has_work(pool) || pool_keep_up(pool))
        return NULL;
    return pool_wake_worker(pool);
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

bool pool_take_any(struct rv_pool *pool, struct taken_job *ret_taken)
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
        pool_fall_behind(pool);
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

bool pool_take_work(struct rv_pool *pool, struct worker *worker, struct taken_job *ret_taken)
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
