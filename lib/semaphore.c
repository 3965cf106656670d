/* SPDX-License-Identifier: MIT */
/*
 * Weighted semaphores.
 *
 * Properties: first come, first served: nobody is served while somebody waits in front. A waiter
 * that gives up lets those behind it have what it had kept them from.
 *
 * Operation: who cannot be served at once queues. A release, and a waiter that gives up, serve the
 * queue from its front as far as there is enough: what is served is taken off for the waiter, and
 * its wait claimed; one that was cancelled meanwhile cannot be claimed and is dropped.
 *
 * Safety: the lock protects all fields. Waiters are served under it, and take it once more before
 * they return, so that their stack stays until then.
 */
#include <errno.h>
#include <reeve/semaphore.h>
#include <stdlib.h>

#include "base/macro.h"
#include "lib/internal.h"

struct rv_semaphore {
    pthread_mutex_t lock;
    uint64_t size;
    uint64_t available;
    struct list waiters;
};

struct semaphore_waiter {
    struct list list;
    struct wait wait;
    uint64_t weight;
};

int rv_semaphore_create(uint64_t size, struct rv_semaphore **ret_semaphore)
{
    struct rv_semaphore *semaphore = calloc(1, sizeof(*semaphore));

    if (!semaphore)
        return error_bare(-ENOMEM);
    pthread_mutex_init(&semaphore->lock, NULL);
    semaphore->size = semaphore->available = size;
    list_init(&semaphore->waiters);
    *ret_semaphore = semaphore;
    return 0;
}

void rv_semaphore_destroy(struct rv_semaphore *semaphore)
{
    if (!semaphore)
        return;
    pthread_mutex_destroy(&semaphore->lock);
    free(semaphore);
}

/* Under the lock: serves from the front as far as it goes. */
static void serve(struct rv_semaphore *semaphore)
{
    while (!list_is_empty(&semaphore->waiters)) {
        struct semaphore_waiter *waiter =
            list_entry(semaphore->waiters.next, struct semaphore_waiter, list);

        if (waiter->weight > semaphore->available)
            break;
        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1)) {
            semaphore->available -= waiter->weight;
            parker_unpark(waiter->wait.parker);
        }
    }
}

/* Under the lock. */
static bool take_now(struct rv_semaphore *semaphore, uint64_t weight)
{
    if (!list_is_empty(&semaphore->waiters) || weight > semaphore->available)
        return false;
    semaphore->available -= weight;
    return true;
}

int rv_semaphore_acquire(struct rv_context *ctx, struct rv_semaphore *semaphore, uint64_t weight)
{
    struct semaphore_waiter waiter = {.weight = weight};
    struct context_hook hook = {.wait = &waiter.wait};
    int r = rv_context_err(ctx);

    if (r != 0)
        return error_bare(r);
    if (weight > semaphore->size)
        return error_bare(-EINVAL);
    pthread_mutex_lock(&semaphore->lock);
    if (take_now(semaphore, weight)) {
        pthread_mutex_unlock(&semaphore->lock);
        return 0;
    }
    wait_init(&waiter.wait);
    list_append(&semaphore->waiters, &waiter.list);
    pthread_mutex_unlock(&semaphore->lock);
    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(&waiter.wait, WAIT_CANCEL);
    else
        wait_for(&waiter.wait, RV_NEVER);
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&semaphore->lock);
    if (wait_result(&waiter.wait) == WAIT_CANCEL) {
        list_remove(&waiter.list);
        serve(semaphore);
        r = rv_context_err(ctx);
    }
    pthread_mutex_unlock(&semaphore->lock);
    return error_bare(r);
}

int rv_semaphore_try_acquire(struct rv_semaphore *semaphore, uint64_t weight)
{
    bool taken;

    if (weight > semaphore->size)
        return error_bare(-EINVAL);
    pthread_mutex_lock(&semaphore->lock);
    taken = take_now(semaphore, weight);
    pthread_mutex_unlock(&semaphore->lock);
    return error_bare(taken ? 0 : -EAGAIN);
}

void rv_semaphore_release(struct rv_semaphore *semaphore, uint64_t weight)
{
    pthread_mutex_lock(&semaphore->lock);
    if (weight > semaphore->size - semaphore->available)
        abort();
    semaphore->available += weight;
    serve(semaphore);
    pthread_mutex_unlock(&semaphore->lock);
}
