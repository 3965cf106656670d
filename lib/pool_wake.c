/* SPDX-License-Identifier: MIT */
/* Decides which thread is woken in a pool, and when all is done; pool.h has the protocol. All with
 * the lock. */
#include "base/macro.h"
#include "lib/pool.h"

static const struct worker *first_idle(const struct rv_pool *pool)
{
    return list_entry(pool->idle.next, const struct worker, list);
}

void pool_tell_of_workers(struct rv_pool *pool)
{
    bool tell =
        !list_is_empty(&pool->idle) && !pool->waking && !pool->looked_for && !pool->keeping_up;

    if (tell)
        ring_tell_of_pushes(&pool->ring, first_idle(pool)->from);
    else if (!tell && pool->tells_of_workers)
        atomic_fetch_and(&pool->ring.tail, ~RING_TELL);
    pool->tells_of_workers = tell;
}

static const struct pool_waiter *first_submitter(const struct rv_pool *pool)
{
    return list_entry(pool->submitters.next, const struct pool_waiter, list);
}

void pool_tell_of_submitters(struct rv_pool *pool)
{
    if (list_is_empty(&pool->submitters))
        atomic_fetch_and(&pool->ring.head, ~RING_TELL);
    else
        ring_tell_of_pops(&pool->ring, first_submitter(pool)->from);
}

struct parker *pool_take_off_idle(struct worker *worker)
{
    list_remove(&worker->list);
    worker->idle = false;
    return worker->parker;
}

struct parker *pool_wake_worker(struct rv_pool *pool)
{
    struct parker *parker;

    if (pool->waking || pool->looked_for || pool->keeping_up || list_is_empty(&pool->idle))
        return NULL;
    pool->waking = true;
    place_wake(&pool->workers_place);
    parker = pool_take_off_idle(list_entry(pool->idle.next, struct worker, list));
    pool_tell_of_workers(pool);
    return parker;
}

void pool_wake_all_workers(struct rv_pool *pool)
{
    while (!list_is_empty(&pool->idle))
        parker_unpark(pool_take_off_idle(list_entry(pool->idle.next, struct worker, list)));
    pool_tell_of_workers(pool);
}

static struct parker *wake_waiter(struct list *waiters)
{
    while (!list_is_empty(waiters)) {
        struct pool_waiter *waiter = list_entry(waiters->next, struct pool_waiter, list);
        struct parker *parker = waiter->wait.parker;

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1))
            return parker;
    }
    return NULL;
}

struct parker *pool_wake_submitter(struct rv_pool *pool)
{
    struct parker *parker = wake_waiter(&pool->submitters);

    pool_tell_of_submitters(pool);
    return parker;
}

struct parker *pool_wake_submitters(struct rv_pool *pool)
{
    int64_t room = atomic_load(&pool->ring.capacity) - (int64_t)ring_length(&pool->ring);
    struct parker *parker = NULL, *next;

    /* Pops that change that are told. */
    if (!list_is_empty(&pool->submitters) &&
        (int64_t)(ring_pops(&pool->ring) - first_submitter(pool)->from) < 0)
        return NULL;
    place_wake(&pool->submitters_place);
    for (; room > 0 && (next = wake_waiter(&pool->submitters)); room--) {
        parker_unpark(parker);
        parker = next;
    }
    pool_tell_of_submitters(pool);
    return parker;
}

void pool_wake_all_waiters(struct list *waiters)
{
    struct parker *parker;

    while ((parker = wake_waiter(waiters)))
        parker_unpark(parker);
}

bool pool_has_work(const struct rv_pool *pool)
{
    const struct worker *worker;

    if (ring_length(&pool->ring) > 0 || atomic_load(&pool->due_count) > 0)
        return true;
    LIST_FOREACH (worker, &pool->workers_list, all_list)
        if (claim_left(worker) > 0)
            return true;
    return false;
}

static uint64_t ended(const struct rv_pool *pool)
{
    uint64_t count = pool->finished + pool->failed + pool->lost;
    const struct worker *worker;

    LIST_FOREACH (worker, &pool->workers_list, all_list)
        count += atomic_load_explicit(&worker->finished, memory_order_acquire) +
                 atomic_load_explicit(&worker->failed, memory_order_acquire);
    return count;
}

bool pool_has_ended_all(const struct rv_pool *pool)
{
    return ended(pool) == ring_pushes(&pool->ring);
}

void pool_check_drained(struct rv_pool *pool)
{
    if (!list_is_empty(&pool->drainers) && pool_has_ended_all(pool))
        pool_wake_all_waiters(&pool->drainers);
}

/* Keeping up -------------------------------------------------------------- */

static bool is_short_work(const struct rv_pool *pool)
{
    rv_duration job_time = atomic_load_explicit(&pool->job_time, memory_order_relaxed);

    return job_time > 0 && job_time < SHORT_WORK &&
           (rv_duration)ring_length(&pool->ring) <= SHORT_WORK / job_time;
}

bool pool_keep_up(struct rv_pool *pool)
{
    bool short_work = is_short_work(pool);

    if (short_work && !pool->watched) {
        pool->seen = ended(pool);
        pool->watched = timer_arm(&pool->watch, rv_now() + WATCH) == 0;
        short_work = pool->watched;
    }
    pool->keeping_up = short_work;
    pool_tell_of_workers(pool);
    return short_work;
}

void pool_fall_behind(struct rv_pool *pool)
{
    if (!pool->keeping_up || is_short_work(pool))
        return;
    pool->keeping_up = false;
    pool_tell_of_workers(pool);
}

void pool_watch_due(struct timer *timer)
{
    struct rv_pool *pool = container_of(timer, struct rv_pool, watch);
    struct parker *wake = NULL;
    uint64_t now, count;

    pthread_mutex_lock(&pool->lock);
    now = ended(pool);
    count = now - pool->seen;
    /* The worker that was to keep up has jobs that take long, and says so only once it has ended
     * all that it claims. */
    if (pool->keeping_up && (count == 0 || (count < FEW && pool_has_work(pool))))
        atomic_store_explicit(&pool->job_time, 0, memory_order_relaxed);
    pool->watched =
        pool->keeping_up && is_short_work(pool) && timer_arm(timer, rv_now() + WATCH) == 0;
    pool->seen = now;
    if (pool->keeping_up && !pool->watched) {
        pool->keeping_up = false;
        pool_tell_of_workers(pool);
        if (pool_has_work(pool))
            wake = pool_wake_worker(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(wake);
}
