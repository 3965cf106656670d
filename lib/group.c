/* SPDX-License-Identifier: MIT */
#include "lib/group.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

int rv_group_create(struct rv_context *ctx, struct rv_group **ret_group)
{
    /* The ring's words have cache lines of their own. */
    struct rv_group *group = aligned_alloc(_Alignof(struct rv_group), sizeof(*group));

    if (!group)
        return -ENOMEM;
    memset(group, 0, sizeof(*group));
    if (ring_init(&group->ring, sizeof(struct start), RUN_UP) < 0) {
        free(group);
        return -ENOMEM;
    }
    if (rv_context_with_cancel(ctx, &group->ctx) < 0) {
        ring_finish(&group->ring);
        free(group);
        return -ENOMEM;
    }
    short_mutex_init(&group->lock);
    pthread_cond_init(&group->all_done, NULL);
    list_init(&group->waiters);
    group->watch.fn = group_watch_due;
    atomic_fetch_or(&group->ring.tail, RING_STOP);
    group->stopped = true;
    *ret_group = group;
    return 0;
}

void rv_group_set_limit(struct rv_group *group, unsigned limit)
{
    group->limit = limit;
}

struct rv_context *rv_group_context(struct rv_group *group)
{
    return group->ctx;
}

/* Without the lock. Returns 0, -EAGAIN when the ring is full, -EPIPE when the lock is needed. */
static int push(struct rv_group *group, const struct start *start)
{
    struct ring_signs signs;

    return ring_push(&group->ring, start, sizeof(*start), &signs);
}

/* With the lock, for a start that needs it. Returns 0; -EBUSY when it has to wait for room; -EPIPE
 * when it may try without the lock; -EAGAIN when the group has no thread and none can be had. */
static int push_locked(struct rv_group *group, const struct start *start)
{
    if (!group->stopped || group_keep_up(group))
        return -EPIPE;
    if (group_start_worker(group) < 0 && group->workers == 0) {
        /* No function of ours will end and wake those who wait: they are to hear the same. */
        group_wake_waiters(group);
        return -EAGAIN;
    }
    if (!group->stopped)
        return -EPIPE;
    /* Without a worker of its own it waits for one that ends. */
    if (ring_length(&group->ring) >= RUN_UP)
        return -EBUSY;
    ring_push_stopped(&group->ring, start);
    return 0;
}

/* With the lock. Room that comes after this wakes whoever waits; room that came before is seen. */
static bool must_wait(struct rv_group *group, struct group_waiter *waiter)
{
    wait_init(&waiter->wait);
    list_append(&group->waiters, &waiter->list);
    group_tell_of_waiters(group);
    if (ring_length(&group->ring) >= RUN_UP)
        return true;
    list_remove(&waiter->list);
    group_tell_of_waiters(group);
    return false;
}

static void wait_for_room(struct rv_group *group)
{
    struct group_waiter waiter;
    struct context_hook hook = {.wait = &waiter.wait};
    bool wait;

    pthread_mutex_lock(&group->lock);
    wait = must_wait(group, &waiter);
    pthread_mutex_unlock(&group->lock);
    if (!wait)
        return;
    if (context_hook_add(group->ctx, &hook) != 0)
        wait_claim(&waiter.wait, WAIT_CANCEL);
    else
        wait_for(&waiter.wait, RV_FOREVER);
    context_hook_remove(group->ctx, &hook);
    pthread_mutex_lock(&group->lock);
    list_remove(&waiter.list);
    group_tell_of_waiters(group);
    pthread_mutex_unlock(&group->lock);
}

static int refuse(struct rv_group *group)
{
    struct rv_cause cause;

    rv_context_cause(group->ctx, &cause);
    error_set_text(cause.text);
    return cause.code;
}

int rv_group_go(struct rv_group *group, rv_function fn, void *arg)
{
    struct start start = {fn, arg};
    int r;

    for (;;) {
        if (rv_context_err(group->ctx) != 0)
            return refuse(group);
        r = push(group, &start);
        if (r == -EPIPE) {
            pthread_mutex_lock(&group->lock);
            r = push_locked(group, &start);
            pthread_mutex_unlock(&group->lock);
            if (r == -EAGAIN)
                return r;
        } else if (r == -EAGAIN) {
            r = -EBUSY;
        }
        if (r == 0)
            return 0;
        if (r == -EBUSY)
            wait_for_room(group);
    }
}

int rv_group_try_go(struct rv_group *group, rv_function fn, void *arg)
{
    struct start start = {fn, arg};
    int r = -EAGAIN;
    size_t length;

    if (rv_context_err(group->ctx) != 0)
        return refuse(group);
    pthread_mutex_lock(&group->lock);
    length = ring_length(&group->ring);
    /* A worker that is about to look and has nothing yet, or one more. */
    if (length < RUN_UP && (length < group->arriving + group->looking ||
                            (group_may_start_more(group) && group_start_worker(group) == 0)))
        r = push(group, &start);
    if (r == -EPIPE)
        r = push_locked(group, &start) == 0 ? 0 : -EAGAIN;
    pthread_mutex_unlock(&group->lock);
    return r;
}

int rv_group_wait(struct rv_group *group)
{
    int code;

    atomic_store(&group->joining, true);
    pthread_mutex_lock(&group->lock);
    while (group->workers > 0)
        pthread_cond_wait(&group->all_done, &group->lock);
    pthread_mutex_unlock(&group->lock);
    timer_remove(&group->watch);
    context_cancel_text(group->ctx, -ECANCELED, "the group has ended");
    rv_context_unref(group->ctx);
    code = group->code;
    error_set_text(group->text);
    pthread_mutex_destroy(&group->lock);
    pthread_cond_destroy(&group->all_done);
    ring_finish(&group->ring);
    free(group);
    return code;
}
