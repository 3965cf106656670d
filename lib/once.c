/* SPDX-License-Identifier: MIT */
/*
 * Once.
 *
 * Properties: the function runs exactly once; everybody gets its result; a caller's cancel ends
 * only that caller's wait. Finishing waits for a run that all its callers have left.
 *
 * Operation: the first caller installs a record by compare-and-swap, and has the function run on a
 * thread of the runtime, which is made beyond the limit of threads if need be: all others may be in
 * use by those who call it. If the kernel refuses that, too, the run is queued for a thread, and
 * who waits tries again. All callers then wait for the record to be done, and each may leave.
 *
 * Safety: the record is published with release and never changes hands again until it is
 * finished; its lock protects
 * `waiters` and the result until `done` is set, with release; after that nothing changes. A context
 * below the run's carries the record, which is how a call from within is recognised; a thread that
 * runs one remembers it too.
 */
#include <errno.h>
#include <reeve/once.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/internal.h"

struct once_record {
    _Atomic bool begun, done;
    pthread_mutex_t lock;
    struct list waiters;
    struct rv_context *ctx; /* the run's; NULL after it, with the lock */
    struct rv_once *once;   /* told of success */
    rv_function fn;
    rv_value_function value_fn;
    void *arg;
    struct work work; /* where no thread could be had at once */
    int code;
    char text[RV_ERROR_TEXT_SIZE];
};

/* Between two tries to have a thread where the kernel had none. */
#define PAUSE     RV_MILLISECOND
#define PAUSE_MAX RV_SECOND

struct once_waiter {
    struct list list;
    struct wait wait;
};

static const char once_key;
static __thread const struct once_record *running;

static _Atomic(struct once_record *) *slot_of(struct rv_once *once)
{
    return (_Atomic(struct once_record *) *)(void *)&once->state;
}

static void record_free(struct once_record *record)
{
    if (!record)
        return;
    pthread_mutex_destroy(&record->lock);
    rv_context_unref(record->ctx);
    free(record);
}

static void run_queued(struct work *work);

static struct once_record *record_create(struct rv_context *ctx, struct rv_once *once,
                                         rv_function fn, rv_value_function value_fn, void *arg)
{
    struct once_record *record = calloc(1, sizeof(*record));
    struct rv_context *detached;
    int r;

    if (!record)
        return NULL;
    pthread_mutex_init(&record->lock, NULL);
    list_init(&record->waiters);
    record->once = once;
    record->fn = fn;
    record->value_fn = value_fn;
    record->arg = arg;
    record->work.fn = run_queued;
    r = rv_context_without_cancel(ctx, &detached, NULL);
    if (r == 0) {
        r = rv_context_with_value(detached, &once_key, record, &record->ctx, NULL);
        rv_context_unref(detached);
    }
    if (r < 0) {
        record_free(record);
        return NULL;
    }
    return record;
}

/* It holds all the contexts that the first caller's descends from, and their deadlines. */
static void give_up_context(struct once_record *record)
{
    struct rv_context *ctx = record->ctx;

    rv_context_cancel(cancel_of(ctx), 0, NULL);
    pthread_mutex_lock(&record->lock);
    record->ctx = NULL;
    pthread_mutex_unlock(&record->lock);
    rv_context_unref(ctx);
}

static void cancel_run(struct once_record *record)
{
    struct rv_context *ctx;

    pthread_mutex_lock(&record->lock);
    ctx = record->ctx ? rv_context_ref(record->ctx) : NULL;
    pthread_mutex_unlock(&record->lock);
    if (ctx)
        rv_context_cancel(cancel_of(ctx), 0, "the once is finished");
    rv_context_unref(ctx);
}

static void run(void *arg)
{
    struct once_record *record = arg;
    const struct once_record *before = running;
    int r;

    atomic_store(&record->begun, true);
    running = record;
    rv_error_clear();
    r = record->fn ? record->fn(record->ctx, record->arg)
                   : record->value_fn(record->ctx, record->arg, &record->once->value);
    running = before;
    give_up_context(record);
    pthread_mutex_lock(&record->lock);
    record->code = r;
    string_copy(record->text, sizeof(record->text), r < 0 ? rv_error_text(r) : "");
    atomic_store_explicit(&record->done, true, memory_order_release);
    if (r == 0)
        __atomic_store_n(&record->once->succeeded, 1, __ATOMIC_RELEASE);
    while (!list_is_empty(&record->waiters)) {
        struct once_waiter *waiter = list_entry(record->waiters.next, struct once_waiter, list);

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1))
            parker_unpark(waiter->wait.parker);
    }
    pthread_mutex_unlock(&record->lock);
}

static void run_queued(struct work *work)
{
    run(container_of(work, struct once_record, work));
}

static int finish(const struct once_record *record, void **ret_value)
{
    if (record->code < 0)
        error_set(record->code, record->text);
    else if (ret_value)
        *ret_value = record->once->value;
    return record->code;
}

static void start(struct once_record *record)
{
    if (executor_start_beyond(run, record) < 0)
        executor_queue(&record->work);
}

/* Returns what ended the wait: 1 when the record is done, WAIT_CANCEL, or WAIT_TIMEOUT. */
static int wait_until(struct rv_context *ctx, struct once_record *record, rv_time deadline)
{
    struct once_waiter waiter;
    struct context_hook hook = {.wait = &waiter.wait};
    bool done;

    wait_init(&waiter.wait);
    list_init(&waiter.list);
    pthread_mutex_lock(&record->lock);
    done = atomic_load_explicit(&record->done, memory_order_relaxed);
    if (!done)
        list_append(&record->waiters, &waiter.list);
    pthread_mutex_unlock(&record->lock);
    if (done)
        return 1;
    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(&waiter.wait, WAIT_CANCEL);
    else
        wait_for(&waiter.wait, deadline);
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&record->lock);
    list_remove(&waiter.list);
    pthread_mutex_unlock(&record->lock);
    return wait_result(&waiter.wait);
}

/* Returns 0 when the record is done, or ctx's code when that comes first. */
static int wait_done(struct rv_context *ctx, struct once_record *record)
{
    rv_duration pause = PAUSE;
    int r;

    do {
        r = wait_until(ctx, record, atomic_load(&record->begun) ? RV_NEVER : deadline_after(pause));
        if (r == WAIT_TIMEOUT && executor_take_back(&record->work))
            start(record);
        pause = MIN(2 * pause, PAUSE_MAX);
    } while (r == WAIT_TIMEOUT);
    return r == WAIT_CANCEL ? rv_context_err(ctx) : 0;
}

static int call(struct rv_context *ctx, struct rv_once *once, rv_function fn,
                rv_value_function value_fn, void *arg, void **ret_value)
{
    _Atomic(struct once_record *) *slot = slot_of(once);
    struct once_record *record = atomic_load_explicit(slot, memory_order_acquire), *mine;
    int r;

    if (record && atomic_load_explicit(&record->done, memory_order_acquire))
        return finish(record, ret_value);
    if (record && (running == record || context_has_value(ctx, &once_key, record)))
        return rv_fail(-EDEADLK, "once called from within itself");
    r = error_bare(rv_context_err(ctx));
    if (r == 0 && runtime_is_forked())
        r = runtime_refuse_fork();
    if (r != 0)
        return r;
    if (!record) {
        mine = record_create(ctx, once, fn, value_fn, arg);
        if (!mine)
            return error_bare(-ENOMEM);
        if (!atomic_compare_exchange_strong(slot, &record, mine)) {
            record_free(mine);
        } else {
            record = mine;
            start(record);
        }
    }
    r = wait_done(ctx, record);
    return r == 0 ? finish(record, ret_value) : error_bare(r);
}

/* For who cannot inline. */
extern inline int rv_once_do(struct rv_context *ctx, struct rv_once *once, rv_function fn,
                             void *arg);

int rv_once_do_first_(struct rv_context *ctx, struct rv_once *once, rv_function fn, void *arg)
{
    return call(ctx, once, fn, NULL, arg, NULL);
}

int rv_once_value(struct rv_context *ctx, struct rv_once *once, rv_value_function fn, void *arg,
                  void **ret_value)
{
    return call(ctx, once, NULL, fn, arg, ret_value);
}

void rv_once_destroy(struct rv_once *once)
{
    struct once_record *record = once->state;

    if (record) {
        /* Callers that were cancelled have left a run behind, perhaps. */
        cancel_run(record);
        if (!executor_take_back(&record->work) && !runtime_is_forked())
            wait_done(rv_context_background(), record);
        /* The run's thread may be about to let go of the lock. */
        pthread_mutex_lock(&record->lock);
        pthread_mutex_unlock(&record->lock);
    }
    record_free(record);
    *once = (struct rv_once)RV_ONCE_INIT;
}
