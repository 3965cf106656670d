/* SPDX-License-Identifier: MIT */
/*
 * Groups.
 *
 * Properties: at most `limit` functions run at once. A function that was accepted runs; one that
 * was refused never does. The first error wins.
 *
 * Operation: a worker runs functions from a short queue until it is empty, and then gives its
 * thread back. go() starts a worker while there are fewer than the limit, else it adds to the
 * queue, else it waits for room.
 *
 * Safety: the lock protects all fields but ctx. Starts that wait take the lock once more before
 * they return.
 */
#include <assert.h>
#include <errno.h>
#include <reeve/group.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/internal.h"

/* Accepted starts that wait for a worker: enough that a worker that ends finds the next one there.
 */
#define RUN_UP 32

struct start {
    rv_function fn;
    void *arg;
};

struct rv_group {
    struct rv_context *ctx;
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    unsigned limit; /* 0: none */
    unsigned workers;
    struct start queue[RUN_UP];
    size_t head, length;
    struct list waiters; /* starts that wait for room */
    int code;            /* the first error */
    char text[RV_ERROR_TEXT_SIZE];
};

struct group_waiter {
    struct list list;
    struct wait wait;
};

int rv_group_create(struct rv_context *ctx, struct rv_group **ret_group)
{
    struct rv_group *group = calloc(1, sizeof(*group));

    if (!group)
        return -ENOMEM;
    if (rv_context_with_cancel(ctx, &group->ctx) < 0) {
        free(group);
        return -ENOMEM;
    }
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->all_done, NULL);
    list_init(&group->waiters);
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

/* Under the lock: somebody who waits for room may try again. */
static void wake_one(struct rv_group *group)
{
    while (!list_is_empty(&group->waiters)) {
        struct group_waiter *waiter = list_entry(group->waiters.next, struct group_waiter, list);

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1)) {
            parker_unpark(waiter->wait.parker);
            return;
        }
    }
}

static void fail(struct rv_group *group, int code)
{
    bool first;

    pthread_mutex_lock(&group->lock);
    first = group->code == 0;
    if (first) {
        group->code = code;
        string_copy(group->text, sizeof(group->text), rv_error_text());
    }
    pthread_mutex_unlock(&group->lock);
    if (first)
        context_cancel_text(group->ctx, code, group->text[0] ? group->text : NULL);
}

static void work(void *arg)
{
    struct rv_group *group = arg;

    pthread_mutex_lock(&group->lock);
    while (group->length > 0) {
        struct start start = group->queue[group->head];
        int r;

        group->head = (group->head + 1) % RUN_UP;
        group->length--;
        wake_one(group);
        pthread_mutex_unlock(&group->lock);
        r = call_function(start.fn, group->ctx, start.arg);
        if (r < 0)
            fail(group, r);
        pthread_mutex_lock(&group->lock);
    }
    executor_retire();
    if (--group->workers == 0)
        pthread_cond_broadcast(&group->all_done);
    else
        wake_one(group);
    pthread_mutex_unlock(&group->lock);
}

/* Under the lock. Returns 0 when the function was accepted, -EBUSY when the limit is reached,
 * -EAGAIN when the group has no thread and none can be had. */
static int accept_start(struct rv_group *group, const struct start *start, size_t run_up)
{
    bool may_start = group->limit == 0 || group->workers < group->limit;
    int r = -EBUSY;

    if (group->length >= (may_start ? RUN_UP : run_up))
        return -EBUSY;
    if (may_start) {
        r = executor_start(work, group);
        if (r == 0)
            group->workers++;
        else if (group->workers == 0)
            return -EAGAIN;
    }
    /* Without a worker of its own it may wait for one that ends. */
    if (r < 0 && group->length >= run_up)
        return -EBUSY;
    group->queue[(group->head + group->length++) % RUN_UP] = *start;
    return 0;
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
        struct group_waiter waiter;
        struct context_hook hook = {.wait = &waiter.wait};

        if (rv_context_err(group->ctx) != 0)
            return refuse(group);
        pthread_mutex_lock(&group->lock);
        r = accept_start(group, &start, RUN_UP);
        if (r == -EBUSY) {
            wait_init(&waiter.wait);
            list_append(&group->waiters, &waiter.list);
        } else if (r == -EAGAIN) {
            /* No function of ours will end and wake the next one, who is to hear the same. */
            wake_one(group);
        }
        pthread_mutex_unlock(&group->lock);
        if (r != -EBUSY)
            return r;
        if (context_hook_add(group->ctx, &hook) != 0)
            wait_claim(&waiter.wait, WAIT_CANCEL);
        else
            wait_for(&waiter.wait, RV_FOREVER);
        context_hook_remove(group->ctx, &hook);
        pthread_mutex_lock(&group->lock);
        list_remove(&waiter.list);
        pthread_mutex_unlock(&group->lock);
    }
}

int rv_group_try_go(struct rv_group *group, rv_function fn, void *arg)
{
    struct start start = {fn, arg};
    int r;

    if (rv_context_err(group->ctx) != 0)
        return refuse(group);
    pthread_mutex_lock(&group->lock);
    r = accept_start(group, &start, 0);
    pthread_mutex_unlock(&group->lock);
    return r == -EBUSY ? -EAGAIN : r;
}

int rv_group_wait(struct rv_group *group)
{
    int code;

    pthread_mutex_lock(&group->lock);
    while (group->workers > 0)
        pthread_cond_wait(&group->all_done, &group->lock);
    pthread_mutex_unlock(&group->lock);
    context_cancel_text(group->ctx, -ECANCELED, "the group has ended");
    rv_context_unref(group->ctx);
    code = group->code;
    error_set_text(group->text);
    pthread_mutex_destroy(&group->lock);
    pthread_cond_destroy(&group->all_done);
    free(group);
    return code;
}
