/* SPDX-License-Identifier: MIT */
/* A group's workers; group.h has the protocol. */
#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/group.h"

/* Pauses between two looks at the ring. */
#define LOOK_PACE 16

/* The time that is not worth the starting of a worker, and how many a worker measures at once. */
#define SHORT_RUN   (2 * RV_MICROSECOND)
#define MEASURED_BY 16

bool group_may_start_more(const struct rv_group *group)
{
    return group->limit == 0 || group->workers < group->limit;
}

/* Under the lock. */
static void update_stop(struct rv_group *group)
{
    bool stop = group_may_start_more(group) &&
                (!group->roomy || (group->arriving == 0 && !group->looking && !group->keeping_up));

    if (stop && !group->stopped)
        atomic_fetch_or(&group->ring.tail, RING_STOP);
    if (!stop && group->stopped)
        atomic_fetch_and(&group->ring.tail, ~RING_STOP);
    group->stopped = stop;
}

void group_tell_of_waiters(struct rv_group *group)
{
    if (list_is_empty(&group->waiters))
        atomic_fetch_and(&group->ring.head, ~RING_TELL);
    else
        atomic_fetch_or(&group->ring.head, RING_TELL);
}

/* Under the lock: as many as there is room for may try again. */
void group_wake_waiters(struct rv_group *group)
{
    size_t length = ring_length(&group->ring);

    while (length < RUN_UP && !list_is_empty(&group->waiters)) {
        struct group_waiter *waiter = list_entry(group->waiters.next, struct group_waiter, list);

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1)) {
            parker_unpark(waiter->wait.parker);
            length++;
        }
    }
    group_tell_of_waiters(group);
}

static void fail(struct rv_group *group, int code)
{
    bool first;

    pthread_mutex_lock(&group->lock);
    first = group->code == 0;
    if (first) {
        group->code = code;
        string_copy(group->text, sizeof(group->text), rv_error_text(code));
    }
    pthread_mutex_unlock(&group->lock);
    if (first)
        context_cancel_text(group->ctx, code, group->text[0] ? group->text : NULL);
}

static void work(void *arg);

/* Under the lock: whether every start of a whole run-up could have a thread. */
static bool is_roomy(const struct rv_group *group)
{
    return executor_has_room(
        group->limit == 0 ? RUN_UP : MIN(group->limit - group->workers, (unsigned)RUN_UP));
}

/* Under the lock. */
static void count_worker(struct rv_group *group)
{
    group->workers++;
    group->arriving++;
    group->roomy = is_roomy(group);
    update_stop(group);
}

int group_start_worker(struct rv_group *group)
{
    int r = executor_start(work, group);

    if (r == 0)
        count_worker(group);
    return r;
}

void group_call_for_help(struct rv_group *group)
{
    if (group->helping)
        return;
    group->helping = true;
    executor_queue(&group->help);
}

void group_help(struct work *help)
{
    struct rv_group *group = container_of(help, struct rv_group, help);
    bool wanted;

    pthread_mutex_lock(&group->lock);
    group->helping = false;
    /* Another worker may have had its thread from elsewhere meanwhile. */
    wanted = group_may_start_more(group);
    if (wanted)
        count_worker(group);
    else if (group->workers == 0)
        pthread_cond_broadcast(&group->all_done);
    group_wake_waiters(group);
    pthread_mutex_unlock(&group->lock);
    if (wanted)
        work(group);
}

void group_watch_due(struct timer *timer)
{
    struct rv_group *group = container_of(timer, struct rv_group, watch);
    uint64_t left;
    bool more;

    pthread_mutex_lock(&group->lock);
    left = atomic_load(&group->ring.head) / RING_ONE;
    more = ring_length(&group->ring) > 0;
    group->roomy = is_roomy(group);
    if (more && left - group->seen >= FEW && !group->joining && group->roomy &&
        timer_arm(timer, rv_now() + WATCH) == 0) {
        group->seen = left;
    } else {
        group->keeping_up = false;
        if (more)
            atomic_store_explicit(&group->run_time, 0, memory_order_relaxed); /* no longer true */
        update_stop(group);
        /* It starts the next. Work that came after the look at the ring, and before the flag,
         * counts. */
        if (group->stopped && ring_length(&group->ring) > 0 && group_start_worker(group) < 0)
            group_call_for_help(group);
    }
    pthread_mutex_unlock(&group->lock);
}

/* Under the lock: whether the workers that there are will do for now. */
bool group_keep_up(struct rv_group *group)
{
    rv_duration run_time = atomic_load_explicit(&group->run_time, memory_order_relaxed);

    if (group->workers == 0 || run_time == 0 || run_time > SHORT_RUN || group->joining)
        return false;
    if (!group->keeping_up) {
        /* Others may have taken the threads since. */
        group->roomy = is_roomy(group);
        if (!group->roomy)
            return false;
        group->seen = atomic_load(&group->ring.head) / RING_ONE;
        group->keeping_up = timer_arm(&group->watch, rv_now() + WATCH) == 0;
        update_stop(group);
    }
    /* Where threads are scarce each start needs its own all the same. */
    return group->keeping_up && group->roomy;
}

/* Under the lock, by a worker that leaves starts in the ring. */
static void see_to_rest(struct rv_group *group)
{
    /* Each of these workers takes a start. One worker too many could take the last thread from
     * another start. The count is read before the ring: a worker that takes its start in between
     * looks at the rest itself. */
    unsigned come = group->arriving + atomic_load(&group->coming);

    if (group->stopped && ring_length(&group->ring) > come && !group_keep_up(group) &&
        group_start_worker(group) < 0)
        group_call_for_help(group);
}

/* After a start has left the ring. */
static void after_pop(struct rv_group *group, bool tell)
{
    bool more = ring_length(&group->ring) > 0;
    bool wake = tell && ring_length(&group->ring) <= RUN_UP / 2;

    /* While the tail is not stopped, somebody else sees to the rest. */
    more = more && (atomic_load(&group->ring.tail) & RING_STOP);
    if (!more && !wake)
        return;
    pthread_mutex_lock(&group->lock);
    see_to_rest(group);
    if (wake)
        group_wake_waiters(group);
    pthread_mutex_unlock(&group->lock);
}

/* *comes: the worker counts as one that comes. */
static bool run_one(struct rv_group *group, bool *comes)
{
    struct start start;
    struct ring_signs signs;
    bool found = ring_pop(&group->ring, &start, sizeof(start), &signs) == ATTEMPT_DONE;
    int r;

    if (*comes)
        atomic_fetch_sub(&group->coming, 1);
    *comes = false;
    if (!found)
        return false;
    after_pop(group, signs.tell);
    r = call_function(start.fn, group->ctx, start.arg);
    if (r < 0)
        fail(group, r);
    return true;
}

/* Runs what is in the ring, until it is empty. Returns whether there was anything. */
static bool run_all(struct rv_group *group, bool *comes)
{
    rv_time start = rv_now(), now;
    unsigned count = 0;
    bool going, any = false;

    do {
        going = run_one(group, comes);
        any = any || going;
        count += going;
        if (count == 0 || (going && count < MEASURED_BY))
            continue;
        now = rv_now();
        atomic_store_explicit(&group->run_time, (now - start) / count + 1, memory_order_relaxed);
        start = now;
        count = 0;
    } while (going);
    return any;
}

static bool has_work(const void *arg)
{
    const struct rv_group *group = arg;

    return ring_length(&group->ring) > 0 ||
           atomic_load_explicit(&group->joining, memory_order_relaxed);
}

/* Under the lock, which it gives up: waits a while for something to run. */
static void look_for_work(struct rv_group *group)
{
    group->looking = true;
    update_stop(group);
    pthread_mutex_unlock(&group->lock);
    hope_spin(&group->hope, LOOK_PACE, has_work, group);
    pthread_mutex_lock(&group->lock);
    group->looking = false;
    update_stop(group);
}

static void work(void *arg)
{
    struct rv_group *group = arg;
    bool looked = false, comes = true;

    pthread_mutex_lock(&group->lock);
    group->arriving--;
    atomic_fetch_add(&group->coming, 1);
    for (;;) {
        update_stop(group);
        pthread_mutex_unlock(&group->lock);
        if (run_all(group, &comes))
            looked = false;
        pthread_mutex_lock(&group->lock);
        /* The hope is the looker's while there is one. */
        if (!looked && !group->looking && !atomic_load(&group->joining) &&
            hope_is_left(&group->hope)) {
            look_for_work(group);
            looked = true;
            continue;
        }
        if (--group->workers == 0)
            group->keeping_up = false;
        update_stop(group);
        /* Unless somebody else is about to look, who comes now needs the lock. */
        if (ring_length(&group->ring) == 0)
            break;
        group->workers++;
    }
    executor_retire();
    group_wake_waiters(group);
    if (group->workers == 0)
        pthread_cond_broadcast(&group->all_done);
    pthread_mutex_unlock(&group->lock);
}
