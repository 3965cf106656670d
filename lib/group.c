/* SPDX-License-Identifier: MIT */
#include "lib/group.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

/* How long a start waits for a thread while nothing moves. */
#define STARVED (3 * RV_SECOND)

int rv_group_create(struct rv_context *ctx, struct rv_group **ret_group)
{
    /* The ring's words have cache lines of their own. */
    struct rv_group *group = aligned_alloc(_Alignof(struct rv_group), sizeof(*group));

    if (!group)
        return error_bare(-ENOMEM);
    memset(group, 0, sizeof(*group));
    if (ring_init(&group->ring, sizeof(struct start), RUN_UP) < 0) {
        free(group);
        return error_bare(-ENOMEM);
    }
    if (rv_context_with_cancel(ctx, &group->ctx, NULL) < 0) {
        ring_finish(&group->ring);
        free(group);
        return error_bare(-ENOMEM);
    }
    short_mutex_init(&group->lock);
    pthread_cond_init(&group->all_done, NULL);
    list_init(&group->waiters);
    group->watch.fn = group_watch_due;
    group->help.fn = group_help;
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

void rv_group_cancel(struct rv_group *group, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    context_cancel_format(group->ctx, code, format, args);
    va_end(args);
}

static enum attempt push(struct rv_group *group, const struct start *start)
{
    struct ring_signs signs;

    return ring_push(&group->ring, start, sizeof(*start), &signs);
}

/* With the lock: somebody comes for the start. */
static enum attempt push_with_lock(struct rv_group *group, const struct start *start)
{
    if (!group->stopped)
        return push(group, start);
    if (ring_length(&group->ring) >= RUN_UP)
        return ATTEMPT_BLOCKED;
    ring_push_stopped(&group->ring, start);
    return ATTEMPT_DONE;
}

/* With the lock, for a start that needs it. Blocked: it has to wait for room or a thread. Closed:
 * no thread can be had, and no function of the group's will free one. */
static enum attempt push_locked(struct rv_group *group, const struct start *start)
{
    if (!group->stopped || group_keep_up(group))
        return ATTEMPT_AGAIN;
    if (group_start_worker(group) < 0) {
        if (group->workers > 0 || group->helping)
            return ATTEMPT_BLOCKED;
        /* No function of ours will end and wake those who wait: they are to hear the same. */
        group_wake_waiters(group);
        return ATTEMPT_CLOSED;
    }
    return push_with_lock(group, start);
}

static enum attempt push_somehow(struct rv_group *group, const struct start *start)
{
    enum attempt r = push(group, start);

    if (r != ATTEMPT_CLOSED)
        return r;
    pthread_mutex_lock(&group->lock);
    r = push_locked(group, start);
    pthread_mutex_unlock(&group->lock);
    return r;
}

/* With the lock. Room that comes after this wakes whoever waits; room that came before is seen. */
static bool must_wait(struct rv_group *group, struct group_waiter *waiter, rv_time *ret_deadline)
{
    wait_init(&waiter->wait);
    list_append(&group->waiters, &waiter->list);
    group_tell_of_waiters(group);
    *ret_deadline = group_may_start_more(group) ? rv_now() + STARVED : RV_NEVER;
    if (ring_length(&group->ring) >= RUN_UP)
        return true;
    if (group->stopped) {
        /* There was no thread; whoever gets one now lets the start in. */
        group_call_for_help(group);
        return true;
    }
    list_remove(&waiter->list);
    group_tell_of_waiters(group);
    return false;
}

/* Returns false when it was in vain for STARVED: no function has ended, no thread has become free,
 * and no room was made. */
static bool wait_for_room(struct rv_group *group)
{
    struct group_waiter waiter;
    struct context_hook hook = {.wait = &waiter.wait};
    rv_time deadline;
    bool wait;

    pthread_mutex_lock(&group->lock);
    wait = must_wait(group, &waiter, &deadline);
    pthread_mutex_unlock(&group->lock);
    if (!wait)
        return true;
    if (context_hook_add(group->ctx, &hook) != 0)
        wait_claim(&waiter.wait, WAIT_CANCEL);
    else
        wait_for(&waiter.wait, deadline);
    context_hook_remove(group->ctx, &hook);
    pthread_mutex_lock(&group->lock);
    list_remove(&waiter.list);
    group_tell_of_waiters(group);
    pthread_mutex_unlock(&group->lock);
    return wait_result(&waiter.wait) != WAIT_TIMEOUT;
}

static int refuse(struct rv_group *group)
{
    struct rv_cause cause;

    rv_context_cause(group->ctx, &cause);
    return error_set(cause.code, cause.text);
}

int rv_group_go(struct rv_group *group, rv_function fn, void *arg)
{
    struct start start = {fn, arg};
    bool starved = false;
    enum attempt r;

    if (runtime_is_forked())
        return runtime_refuse_fork();
    for (;;) {
        if (rv_context_err(group->ctx) != 0)
            return refuse(group);
        r = push_somehow(group, &start);
        if (r == ATTEMPT_DONE)
            return 0;
        if (r == ATTEMPT_AGAIN)
            continue;
        if (r == ATTEMPT_CLOSED || (starved && group_may_start_more(group)))
            return error_bare(-EAGAIN);
        starved = !wait_for_room(group);
    }
}

int rv_group_try_go(struct rv_group *group, rv_function fn, void *arg)
{
    struct start start = {fn, arg};
    enum attempt r = ATTEMPT_BLOCKED;
    size_t length;

    if (runtime_is_forked())
        return runtime_refuse_fork();
    if (rv_context_err(group->ctx) != 0)
        return refuse(group);
    pthread_mutex_lock(&group->lock);
    length = ring_length(&group->ring);
    /* A worker that is about to look and has nothing yet, or one more. */
    if (length < RUN_UP && (length < group->arriving + group->looking ||
                            (group_may_start_more(group) && group_start_worker(group) == 0)))
        r = push_with_lock(group, &start);
    pthread_mutex_unlock(&group->lock);
    return error_bare(r == ATTEMPT_DONE ? 0 : -EAGAIN);
}

static void join(struct rv_group *group)
{
    atomic_store(&group->joining, true);
    pthread_mutex_lock(&group->lock);
    while ((group->workers > 0 || group->helping) && !runtime_is_forked()) {
        if (group->workers == 0 && ring_length(&group->ring) == 0 &&
            executor_take_back(&group->help))
            group->helping = false;
        else
            pthread_cond_wait(&group->all_done, &group->lock);
    }
    pthread_mutex_unlock(&group->lock);
}

int rv_group_wait(struct rv_group *group)
{
    join(group);
    context_cancel_text(group->ctx, -ECANCELED, "the group has ended");
    return group->code < 0 ? error_set(group->code, group->text) : group->code;
}

void rv_group_destroy(struct rv_group *group)
{
    if (!group)
        return;
    context_cancel_text(group->ctx, -ECANCELED, "the group is destroyed");
    join(group);
    timer_remove(&group->watch);
    rv_context_unref(group->ctx);
    pthread_mutex_destroy(&group->lock);
    pthread_cond_destroy(&group->all_done);
    ring_finish(&group->ring);
    free(group);
}
