/* SPDX-License-Identifier: MIT */
/* Who is woken in a pool, and when all is done; pool.h has the protocol. All with the lock. */
#include "base/macro.h"
#include "lib/pool.h"

static void set_flag(_Atomic uint64_t *word, uint64_t flag, bool on)
{
    if (on)
        atomic_fetch_or(word, flag);
    else
        atomic_fetch_and(word, ~flag);
}

void pool_tell_of_workers(struct rv_pool *pool)
{
    bool tell = !list_is_empty(&pool->idle) && !pool->waking && !pool->looked_for;

    if (tell != pool->tells_of_workers)
        set_flag(&pool->ring.tail, RING_TELL, tell);
    pool->tells_of_workers = tell;
}

void pool_tell_of_submitters(struct rv_pool *pool)
{
    set_flag(&pool->ring.head, RING_TELL, !list_is_empty(&pool->submitters));
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

    if (pool->waking || pool->looked_for || list_is_empty(&pool->idle))
        return NULL;
    pool->waking = true;
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
