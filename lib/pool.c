/* SPDX-License-Identifier: MIT */
#include "lib/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"

/* Waits on one of the pool's lists, to which the caller has added the waiter. */
static void wait_on_list(struct rv_context *ctx, struct rv_pool *pool, struct pool_waiter *waiter,
                         rv_time deadline)
{
    struct context_hook hook = {.wait = &waiter->wait};

    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(&waiter->wait, WAIT_CANCEL);
    else
        wait_for(&waiter->wait, deadline);
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&pool->lock);
    list_remove(&waiter->list);
    pool_tell_of_submitters(pool);
    if (wait_result(&waiter->wait) == 1)
        place_woken(&pool->submitters_place);
    if (waiter->sleeps_on)
        place_learn(&pool->submitters_place, (size_t)(ring_pops(&pool->ring) - waiter->begun));
    pthread_mutex_unlock(&pool->lock);
}

/* With the lock: nothing more is accepted. */
static void stop_accepting(struct rv_pool *pool)
{
    atomic_fetch_or(&pool->ring.tail, RING_STOP);
    pool_wake_all_waiters(&pool->submitters);
    pool_tell_of_submitters(pool);
}

/* Under the pool's context's hook lock: only marks and wakes; workers report what is lost. */
static void pool_cancelled(struct context_hook *hook)
{
    struct rv_pool *pool = container_of(hook, struct rv_pool, hook);

    pthread_mutex_lock(&pool->lock);
    stop_accepting(pool);
    pool_wake_all_workers(pool);
    pthread_mutex_unlock(&pool->lock);
}

static void set_defaults(struct rv_pool_options *options)
{
    if (options->workers == 0)
        options->workers = processor_count();
    if (options->queue == 0)
        options->queue = 1024;
    if (options->backoff <= 0)
        options->backoff = 100 * RV_MILLISECOND;
    if (options->backoff_max <= 0)
        options->backoff_max = MAX(RV_MINUTE, options->backoff);
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
        pthread_cond_wait(&pool->all_gone, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return -EAGAIN;
}

static void pool_free(struct rv_pool *pool)
{
    timer_remove(&pool->watch);
    rv_context_unref(pool->ctx);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->all_gone);
    ring_finish(&pool->ring);
    free(pool);
}

int rv_pool_create(struct rv_context *ctx, const struct rv_pool_options *options,
                   struct rv_pool **ret_pool)
{
    struct rv_pool *pool;
    int r;

    if (options && options->size < sizeof(*options))
        return error_bare(-EINVAL);
    if (runtime_is_forked())
        return runtime_refuse_fork();
    /* The ring's words have cache lines of their own. */
    pool = aligned_alloc(_Alignof(struct rv_pool), sizeof(*pool));
    if (!pool)
        return error_bare(-ENOMEM);
    memset(pool, 0, sizeof(*pool));
    pool->options = options ? *options : (struct rv_pool_options)RV_POOL_DEFAULTS;
    set_defaults(&pool->options);
    short_mutex_init(&pool->lock);
    pthread_cond_init(&pool->all_gone, NULL);
    list_init(&pool->idle);
    list_init(&pool->workers_list);
    list_init(&pool->submitters);
    list_init(&pool->drainers);
    list_init(&pool->retries);
    list_init(&pool->due);
    list_init(&pool->hook.list);
    pool->hook.fn = pool_cancelled;
    pool->watch.fn = pool_watch_due;
    r = ring_init(&pool->ring, sizeof(struct job), pool->options.queue);
    if (r == 0)
        r = rv_context_with_cancel(ctx, &pool->ctx, NULL);
    if (r == 0)
        r = start_workers(pool);
    if (r < 0) {
        pool_free(pool);
        return error_bare(r);
    }
    /* A context that is done already needs no hook: whoever submits sees it. */
    context_hook_add(pool->ctx, &pool->hook);
    *ret_pool = pool;
    return 0;
}

static void wake_worker(struct rv_pool *pool)
{
    struct parker *wake;

    pthread_mutex_lock(&pool->lock);
    wake = pool_wake_worker(pool);
    pthread_mutex_unlock(&pool->lock);
    parker_unpark(wake);
}

/* Done, blocked without room, or closed. */
static enum attempt submit_now(struct rv_pool *pool, rv_function fn, void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    struct ring_signs signs;
    enum attempt r;

    if (rv_context_err(pool->ctx) != 0)
        return ATTEMPT_CLOSED;
    r = ring_push(&pool->ring, &job, sizeof(job), &signs);
    if (r == ATTEMPT_DONE && signs.tell)
        wake_worker(pool);
    return r;
}

/* Why nothing is accepted: the pool's cause, or it drains. */
static int refuse(struct rv_pool *pool)
{
    struct rv_cause cause;

    if (rv_context_cause(pool->ctx, &cause) == 0)
        return error_bare(-EPIPE);
    return error_set(cause.code, cause.text);
}

/* With the lock: where jobs are short, half of the queue is free in no time, and to wake a
 * submitter for each job costs more than the job. */
static void choose_from(struct rv_pool *pool, struct pool_waiter *waiter, bool put_off)
{
    rv_duration job_time = atomic_load_explicit(&pool->job_time, memory_order_relaxed);
    int64_t capacity = atomic_load(&pool->ring.capacity); /* less while jobs wait for a retry */

    waiter->from = 0;
    waiter->sleeps_on = false;
    if (!put_off || job_time == 0 || job_time >= SHORT_JOB || capacity < 2)
        return;
    waiter->sleeps_on = place_sleep_on(&pool->submitters_place);
    waiter->begun = ring_pops(&pool->ring);
    waiter->from = waiter->begun + (uint64_t)(waiter->sleeps_on ? capacity : capacity / 2);
}

/* With the lock. Room that comes after this wakes whoever waits; room that came before is seen. */
static bool must_wait(struct rv_pool *pool, struct pool_waiter *waiter, bool put_off)
{
    choose_from(pool, waiter, put_off);
    wait_init(&waiter->wait);
    list_append(&pool->submitters, &waiter->list);
    pool_tell_of_submitters(pool);
    if ((int64_t)ring_length(&pool->ring) >= atomic_load(&pool->ring.capacity) &&
        !(atomic_load(&pool->ring.tail) & RING_STOP))
        return true;
    list_remove(&waiter->list);
    pool_tell_of_submitters(pool);
    return false;
}

/* `since` is when the submitter first found no room. Workers may put it off for a while from then;
 * once that is over it has to look for itself, as the room may be there already. Returns false when
 * ctx is done. */
static bool wait_for_room(struct rv_context *ctx, struct rv_pool *pool, rv_time since)
{
    struct pool_waiter waiter;
    bool put_off = rv_now() - since < POOL_PUT_OFF;
    struct parker *wake;
    bool wait, going;

    pthread_mutex_lock(&pool->lock);
    wait = must_wait(pool, &waiter, put_off);
    pthread_mutex_unlock(&pool->lock);
    if (!wait)
        return true;
    wait_on_list(ctx, pool, &waiter, waiter.from != 0 ? since + POOL_PUT_OFF : RV_NEVER);
    going = wait_result(&waiter.wait) != WAIT_CANCEL && rv_context_err(ctx) == 0;
    if (!going || wait_result(&waiter.wait) == WAIT_TIMEOUT) {
        /* Room that we were woken for is somebody else's now; and those behind may have been put
         * off because we were. */
        pthread_mutex_lock(&pool->lock);
        wake = pool_wake_submitters(pool);
        pthread_mutex_unlock(&pool->lock);
        parker_unpark(wake);
    }
    return going;
}

/* The pool is not freed before a caller that it has counted leaves. */
static void enter(struct rv_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->callers++;
    pthread_mutex_unlock(&pool->lock);
}

static void leave(struct rv_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (--pool->callers == 0)
        pthread_cond_broadcast(&pool->all_gone);
    pthread_mutex_unlock(&pool->lock);
}

/* Done, closed or cancelled. */
static enum attempt submit_waiting(struct rv_context *ctx, struct rv_pool *pool, rv_function fn,
                                   void *arg)
{
    rv_time since = rv_now();
    enum attempt r;

    do {
        if (!wait_for_room(ctx, pool, since))
            return ATTEMPT_CANCELLED;
        r = submit_now(pool, fn, arg);
    } while (r == ATTEMPT_BLOCKED);
    return r;
}

int rv_pool_submit(struct rv_context *ctx, struct rv_pool *pool, rv_function fn, void *arg)
{
    enum attempt attempt;
    int r = error_bare(rv_context_err(ctx));

    if (r == 0 && runtime_is_forked())
        r = runtime_refuse_fork();
    if (r != 0)
        return r;
    attempt = submit_now(pool, fn, arg);
    if (attempt == ATTEMPT_DONE)
        return 0;
    enter(pool);
    if (attempt == ATTEMPT_BLOCKED)
        attempt = submit_waiting(ctx, pool, fn, arg);
    if (attempt == ATTEMPT_CLOSED)
        r = refuse(pool);
    leave(pool);
    /* The pool of a submitter that was cancelled drains, too. */
    return attempt != ATTEMPT_DONE && rv_context_err(ctx) != 0 ? error_bare(rv_context_err(ctx))
                                                               : r;
}

int rv_pool_try_submit(struct rv_pool *pool, rv_function fn, void *arg)
{
    enum attempt r;

    if (runtime_is_forked())
        return runtime_refuse_fork();
    r = submit_now(pool, fn, arg);
    if (r == ATTEMPT_CLOSED)
        return refuse(pool);
    return error_bare(r == ATTEMPT_DONE ? 0 : -EAGAIN);
}

int rv_pool_drain(struct rv_context *ctx, struct rv_pool *pool)
{
    struct pool_waiter waiter = {.sleeps_on = false};
    bool wait;

    if (runtime_is_forked())
        return runtime_refuse_fork();
    pthread_mutex_lock(&pool->lock);
    stop_accepting(pool);
    wait = !pool_has_ended_all(pool);
    if (wait) {
        wait_init(&waiter.wait);
        list_append(&pool->drainers, &waiter.list);
        pool->callers++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!wait)
        return 0;
    wait_on_list(ctx, pool, &waiter, RV_NEVER);
    leave(pool);
    return error_bare(wait_result(&waiter.wait) == WAIT_CANCEL ? rv_context_err(ctx) : 0);
}

void rv_pool_discard(struct rv_pool *pool, int code, const char *format, ...)
{
    struct rv_cause cause = {.code = cancel_code(code)};
    char name[128];
    va_list args;

    va_start(args, format);
    if (format)
        text_format_shown(cause.text, sizeof(cause.text), format, args);
    else
        string_copy(cause.text, sizeof(cause.text), error_name(cause.code, name, sizeof(name)));
    va_end(args);
    pthread_mutex_lock(&pool->lock);
    if (!pool->discarded)
        pool->discard = cause;
    pool->discarded = true;
    stop_accepting(pool);
    pool_lose_all(pool, &cause);
    pthread_mutex_unlock(&pool->lock);
}

void rv_pool_cancel(struct rv_pool *pool, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    context_cancel_format(pool->ctx, code, format, args);
    va_end(args);
}

void rv_pool_destroy(struct rv_pool *pool)
{
    if (!pool)
        return;
    rv_pool_cancel(pool, -ECANCELED, "the pool is destroyed");
    context_hook_remove(pool->ctx, &pool->hook);
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    /* A thread that has cancelled it before us may not have come to the hook, and cannot any more.
     */
    stop_accepting(pool);
    pool_wake_all_workers(pool);
    while ((pool->workers > 0 || pool->callers > 0) && !runtime_is_forked())
        pthread_cond_wait(&pool->all_gone, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pool_free(pool);
}

void rv_pool_stats(struct rv_pool *pool, struct rv_pool_stats *ret_stats)
{
    struct worker *worker;
    size_t active = 0;

    pthread_mutex_lock(&pool->lock);
    *ret_stats = (struct rv_pool_stats){
        .workers = pool->options.workers,
        .capacity = pool->options.queue,
        .finished = pool->finished,
        .failed = pool->failed,
        .lost = pool->lost,
        .retried = pool->retried,
    };
    /* Workers go on meanwhile. The ended are read first and the accepted last, so that
     * what is between them is never less than it should be. */
    LIST_FOREACH (worker, &pool->workers_list, all_list) {
        ret_stats->finished += atomic_load_explicit(&worker->finished, memory_order_acquire);
        ret_stats->failed += atomic_load_explicit(&worker->failed, memory_order_acquire);
        active += atomic_load_explicit(&worker->busy, memory_order_acquire);
    }
    ret_stats->accepted = ring_pushes(&pool->ring);
    pthread_mutex_unlock(&pool->lock);
    ret_stats->queued =
        ret_stats->accepted - ret_stats->finished - ret_stats->failed - ret_stats->lost;
    ret_stats->active = active < ret_stats->queued ? active : ret_stats->queued;
    ret_stats->queued -= ret_stats->active;
}
