/* SPDX-License-Identifier: MIT */
#include "lib/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"

/* Waits on one of the pool's lists, to which the caller has added the waiter. Returns 0 or ctx's
 * code. */
static int wait_on_list(struct rv_context *ctx, struct rv_pool *pool, struct pool_waiter *waiter)
{
    struct context_hook hook = {.wait = &waiter->wait};
    int r = 0;

    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(&waiter->wait, WAIT_CANCEL);
    else
        wait_for(&waiter->wait, RV_FOREVER);
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&pool->lock);
    list_remove(&waiter->list);
    pthread_mutex_unlock(&pool->lock);
    if (wait_result(&waiter->wait) == WAIT_CANCEL)
        r = rv_context_err(ctx);
    return r;
}

/* Under the pool's context's hook lock: only marks and wakes; workers report what is lost. */
static void pool_cancelled(struct context_hook *hook)
{
    struct rv_pool *pool = container_of(hook, struct rv_pool, hook);

    pthread_mutex_lock(&pool->lock);
    pool_wake_all_workers(pool);
    pool_wake_waiters(&pool->submitters, SIZE_MAX);
    pthread_mutex_unlock(&pool->lock);
}

static void set_defaults(struct rv_pool_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->workers == 0)
        options->workers = processors > 0 ? (unsigned)processors : 1;
    if (options->queue == 0)
        options->queue = 1024;
    if (options->backoff <= 0)
        options->backoff = 100 * RV_MILLISECOND;
    if (options->backoff_max <= 0)
        options->backoff_max = RV_MINUTE;
}

/* Starts as many as the kernel lets us; all or none count. */
static int start_workers(struct rv_pool *pool)
{
    unsigned wanted = pool->options.workers, started = 0;
    int r = executor_reserve(wanted);

    if (r < 0)
        return r;
    pool->workers = wanted;
    while (started < wanted && executor_start_reserved(pool_work, pool) == 0)
        started++;
    if (started == wanted)
        return 0;
    executor_unreserve(wanted - started);
    pthread_mutex_lock(&pool->lock);
    pool->workers -= wanted - started;
    pool->stopping = true;
    pool_wake_all_workers(pool);
    while (pool->workers > 0)
        pthread_cond_wait(&pool->workers_gone, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return -EAGAIN;
}

static void pool_free(struct rv_pool *pool)
{
    rv_context_unref(pool->ctx);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->workers_gone);
    free(pool->ring);
    free(pool);
}

int rv_pool_create(struct rv_context *ctx, const struct rv_pool_options *options,
                   struct rv_pool **ret_pool)
{
    struct rv_pool *pool = calloc(1, sizeof(*pool));
    int r;

    if (options && options->size < sizeof(*options)) {
        free(pool);
        return -EINVAL;
    }
    if (!pool)
        return -ENOMEM;
    if (options)
        pool->options = *options;
    set_defaults(&pool->options);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->workers_gone, NULL);
    list_init(&pool->idle);
    list_init(&pool->submitters);
    list_init(&pool->drainers);
    list_init(&pool->retries);
    list_init(&pool->hook.list);
    pool->hook.fn = pool_cancelled;
    pool->capacity = pool->options.queue;
    if (!__builtin_add_overflow(pool->capacity, pool->options.workers, &pool->ring_size))
        pool->ring = calloc(pool->ring_size, sizeof(*pool->ring));
    r = pool->ring ? rv_context_with_cancel(ctx, &pool->ctx) : -ENOMEM;
    if (r == 0)
        r = start_workers(pool);
    if (r < 0) {
        pool_free(pool);
        return r;
    }
    /* A context that is done already needs no hook: whoever submits sees it. */
    context_hook_add(pool->ctx, &pool->hook);
    *ret_pool = pool;
    return 0;
}

static int refuse(struct rv_pool *pool)
{
    struct rv_cause cause;

    rv_context_cause(pool->ctx, &cause);
    error_set_text(cause.text);
    return cause.code;
}

/* Under the lock. Returns 0, -EAGAIN when there is no room, -EPIPE, or -ECANCELED. */
static int submit_now(struct rv_pool *pool, const struct job *job)
{
    if (rv_context_err(pool->ctx) != 0)
        return -ECANCELED;
    if (pool->draining)
        return -EPIPE;
    if (pool->length + pool->retry_count >= pool->capacity)
        return -EAGAIN;
    pool_push(pool, job);
    pool->accepted++;
    pool_wake_worker(pool);
    return 0;
}

int rv_pool_submit(struct rv_context *ctx, struct rv_pool *pool, rv_function fn, void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    int r = rv_context_err(ctx);

    if (r != 0)
        return r;
    for (;;) {
        struct pool_waiter waiter;

        pthread_mutex_lock(&pool->lock);
        r = submit_now(pool, &job);
        if (r == -EAGAIN) {
            wait_init(&waiter.wait);
            list_append(&pool->submitters, &waiter.list);
        }
        pthread_mutex_unlock(&pool->lock);
        if (r == -ECANCELED)
            return refuse(pool);
        if (r != -EAGAIN)
            return r;
        r = wait_on_list(ctx, pool, &waiter);
        if (r == 0)
            r = rv_context_err(ctx);
        if (r != 0) {
            /* Room that we were woken for is somebody else's now. */
            pthread_mutex_lock(&pool->lock);
            pool_wake_waiters(&pool->submitters, 1);
            pthread_mutex_unlock(&pool->lock);
            return r;
        }
    }
}

int rv_pool_try_submit(struct rv_pool *pool, rv_function fn, void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    int r;

    pthread_mutex_lock(&pool->lock);
    r = submit_now(pool, &job);
    pthread_mutex_unlock(&pool->lock);
    return r == -ECANCELED ? refuse(pool) : r;
}

int rv_pool_drain(struct rv_context *ctx, struct rv_pool *pool)
{
    struct pool_waiter waiter;
    bool empty;

    pthread_mutex_lock(&pool->lock);
    pool->draining = true;
    pool_wake_waiters(&pool->submitters, SIZE_MAX);
    empty = pool_is_empty(pool);
    if (!empty) {
        wait_init(&waiter.wait);
        list_append(&pool->drainers, &waiter.list);
    }
    pthread_mutex_unlock(&pool->lock);
    return empty ? 0 : wait_on_list(ctx, pool, &waiter);
}

void rv_pool_discard(struct rv_pool *pool, int code, const char *text)
{
    struct rv_cause cause = {.code = code};

    string_copy(cause.text, sizeof(cause.text), text ? text : "");
    pthread_mutex_lock(&pool->lock);
    pool->draining = true;
    pool_wake_waiters(&pool->submitters, SIZE_MAX);
    pool_lose_all(pool, &cause);
    pthread_mutex_unlock(&pool->lock);
}

void rv_pool_cancel(struct rv_pool *pool, int code, const char *text)
{
    context_cancel_text(pool->ctx, code ? code : -ECANCELED, text);
}

void rv_pool_destroy(struct rv_pool *pool)
{
    if (!pool)
        return;
    rv_pool_cancel(pool, -ECANCELED, "the pool is destroyed");
    context_hook_remove(pool->ctx, &pool->hook);
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pool_wake_all_workers(pool);
    while (pool->workers > 0)
        pthread_cond_wait(&pool->workers_gone, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pool_free(pool);
}

void rv_pool_stats(struct rv_pool *pool, struct rv_pool_stats *ret_stats)
{
    pthread_mutex_lock(&pool->lock);
    *ret_stats = (struct rv_pool_stats){
        .workers = pool->options.workers,
        .capacity = pool->capacity,
        .queued = pool->length + pool->retry_count,
        .active = pool->active,
        .accepted = pool->accepted,
        .finished = pool->finished,
        .failed = pool->failed,
        .lost = pool->lost,
        .retried = pool->retried,
    };
    pthread_mutex_unlock(&pool->lock);
}
