/* SPDX-License-Identifier: MIT */
/*
 * Fans.
 *
 * Properties: each item that was taken from `in` is given to fn once. `out` is closed exactly once
 * by the fan, after the last worker has ended, however it ended. The first error wins, and ends
 * the other workers. No item waits while a worker idles, but for the time that waking one takes, or
 * where items are short, for up to WATCH.
 *
 * Operation: workers with reserved threads receive, call fn and send, each until `in` is closed
 * and empty or something fails; an error cancels the context that all of them receive and send
 * with. The caller waits for the last of them and closes `out`.
 *
 * A worker that finds nothing to receive waits at the channel, if no other does: it leads. The
 * others follow: they idle, and are woken one by one. A worker that has an item wakes one unless
 * the items are so short that to do what is there takes less time than to wake somebody; a timer
 * finds out when that is no longer so, as few have been done since it last looked, or more are
 * there. So one thread does a fan of short items, and all do one of long items.
 *
 * Safety: the fan lives on the caller's stack; the lock protects what has no comment of its own and
 * changes while workers run. A worker touches the fan for the last time in giving up the lock in
 * which it counts itself out, and the caller takes that lock before it returns. Buffers for an item
 * and a result are each worker's own. Nobody follows while nobody leads or works: a worker idles
 * only when another leads, and whoever ceases to lead has an item, after which it looks at `in`
 * again, or wakes a follower; if it gets stuck, the timer does.
 */
#include <errno.h>
#include <reeve/fan.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/channel.h"
#include "lib/internal.h"

/* An item that is not worth the waking of a follower. */
#define SHORT_ITEM (2 * RV_MICROSECOND)

#define MEASURE_EVERY 16

#define ALIGNMENT _Alignof(max_align_t)

struct fan;

struct fan_worker {
    _Alignas(ALIGNMENT) struct fan *fan;
    void *item, *result;   /* buffers */
    _Atomic uint64_t done; /* written by itself alone */
};

struct fan {
    struct rv_context *ctx;
    struct rv_channel *in;
    struct rv_channel *out;
    rv_fan_function fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    pthread_cond_t wanted; /* a follower */
    struct fan_worker *workers;
    unsigned count, running;    /* of them */
    _Atomic unsigned followers; /* changed with the lock */
    unsigned woken;             /* of them */
    bool led;
    bool over;                     /* followers are to look why */
    _Atomic bool keeping_up;       /* changed with the lock */
    bool watched;                  /* `watch` is armed: also for a while after it was kept up */
    _Atomic rv_duration item_time; /* what fn took of late; 0: unknown */
    struct timer watch;
    uint64_t seen; /* by watch: how many items were done */
    int code;      /* the first error */
    char text[RV_ERROR_TEXT_SIZE];
};

static void fail(struct fan *fan, int code)
{
    bool first;

    pthread_mutex_lock(&fan->lock);
    first = fan->code == 0;
    if (first) {
        fan->code = code;
        string_copy(fan->text, sizeof(fan->text), rv_error_text(code));
    }
    pthread_mutex_unlock(&fan->lock);
    if (first)
        context_cancel_text(fan->ctx, code, fan->text[0] ? fan->text : NULL);
}

/* Threads that are awake; all with the lock ------------------------------- */

static uint64_t done(const struct fan *fan)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < fan->count; i++)
        sum += atomic_load_explicit(&fan->workers[i].done, memory_order_relaxed);
    return sum;
}

static void wake_follower(struct fan *fan)
{
    if (fan->woken >= fan->followers)
        return;
    fan->woken++;
    pthread_cond_signal(&fan->wanted);
}

static bool is_short_work(const struct fan *fan)
{
    rv_duration time = atomic_load_explicit(&fan->item_time, memory_order_relaxed);

    return time > 0 && time <= SHORT_ITEM &&
           (rv_duration)rv_channel_length(fan->in) <= SHORT_WORK / time;
}

static bool keep_up(struct fan *fan)
{
    bool short_work = is_short_work(fan);

    if (short_work && !fan->watched) {
        fan->seen = done(fan);
        fan->watched = timer_arm(&fan->watch, rv_now() + WATCH) == 0;
        short_work = fan->watched;
    }
    atomic_store_explicit(&fan->keeping_up, short_work, memory_order_relaxed);
    return short_work;
}

static void watch_due(struct timer *timer)
{
    struct fan *fan = container_of(timer, struct fan, watch);
    uint64_t now;

    pthread_mutex_lock(&fan->lock);
    now = done(fan);
    /* The worker that was to keep up has items that take long. */
    if (fan->keeping_up && now - fan->seen < FEW)
        atomic_store_explicit(&fan->item_time, 0, memory_order_relaxed);
    fan->watched = fan->keeping_up && is_short_work(fan) && timer_arm(timer, rv_now() + WATCH) == 0;
    fan->seen = now;
    if (fan->keeping_up && !fan->watched) {
        atomic_store_explicit(&fan->keeping_up, false, memory_order_relaxed);
        wake_follower(fan);
    }
    pthread_mutex_unlock(&fan->lock);
}

/* A worker without the lock ----------------------------------------------- */

/* With an item in hand: somebody else is to see to the rest, if it is worth it. */
static void see_to_rest(struct fan *fan)
{
    if (atomic_load_explicit(&fan->followers, memory_order_relaxed) == 0 ||
        atomic_load_explicit(&fan->keeping_up, memory_order_relaxed))
        return;
    pthread_mutex_lock(&fan->lock);
    if (!fan->led && !keep_up(fan))
        wake_follower(fan);
    pthread_mutex_unlock(&fan->lock);
}

/* Blocked: another leads, and has something for us, perhaps. */
static enum attempt lead_or_follow(struct fan *fan, struct fan_worker *worker)
{
    enum attempt r = ATTEMPT_BLOCKED;
    bool lead;

    pthread_mutex_lock(&fan->lock);
    lead = !fan->led;
    if (lead) {
        fan->led = true;
        atomic_store_explicit(&fan->keeping_up, false, memory_order_relaxed);
    } else if (!fan->over) {
        fan->followers++;
        while (fan->woken == 0 && !fan->over)
            pthread_cond_wait(&fan->wanted, &fan->lock);
        fan->woken -= fan->woken > 0;
        fan->followers--;
    }
    pthread_mutex_unlock(&fan->lock);
    if (!lead)
        return r;
    r = channel_recv(fan->ctx, fan->in, worker->item);
    pthread_mutex_lock(&fan->lock);
    fan->led = false;
    pthread_mutex_unlock(&fan->lock);
    return r;
}

/* The next item: done, closed or cancelled. */
static enum attempt receive(struct fan *fan, struct fan_worker *worker)
{
    enum attempt r;

    do {
        if (rv_context_err(fan->ctx) != 0)
            return ATTEMPT_CANCELLED;
        r = channel_recv_now(fan->in, worker->item);
        if (r == ATTEMPT_BLOCKED)
            r = lead_or_follow(fan, worker);
    } while (r == ATTEMPT_BLOCKED);
    return r;
}

static int send(struct fan *fan, const void *result)
{
    enum attempt r;

    if (!fan->out)
        return -EINVAL;
    r = channel_send(fan->ctx, fan->out, result);
    if (r == ATTEMPT_CANCELLED)
        return rv_context_err(fan->ctx);
    return r == ATTEMPT_CLOSED ? -EPIPE : 0;
}

static int call(struct fan *fan, struct fan_worker *worker)
{
    uint64_t number = atomic_load_explicit(&worker->done, memory_order_relaxed);
    bool measured = number % MEASURE_EVERY == 0;
    rv_time start = measured ? rv_now() : 0;
    int r = fan->fn(fan->ctx, worker->item, worker->result, fan->arg);

    if (measured)
        atomic_store_explicit(&fan->item_time, rv_now() - start + 1, memory_order_relaxed);
    atomic_store_explicit(&worker->done, number + 1, memory_order_relaxed);
    return r;
}

/* Returns 0 at the end of `in`, else an error. */
static int drain(struct fan *fan, struct fan_worker *worker)
{
    for (;;) {
        enum attempt received;
        int r;

        /* Of what ran on this thread before, or of an item that was fine after all. */
        rv_error_clear();
        received = receive(fan, worker);
        if (received == ATTEMPT_CLOSED)
            return 0;
        if (received == ATTEMPT_CANCELLED)
            return rv_context_err(fan->ctx);
        see_to_rest(fan);
        r = call(fan, worker);
        if (r == 0) {
            rv_error_clear();
            r = send(fan, worker->result);
        }
        if (r < 0)
            return r;
    }
}

static void work(void *arg)
{
    struct fan_worker *worker = arg;
    struct fan *fan = worker->fan;
    int r = drain(fan, worker);

    if (r < 0)
        fail(fan, r);
    pthread_mutex_lock(&fan->lock);
    fan->over = true;
    pthread_cond_broadcast(&fan->wanted);
    executor_retire();
    if (--fan->running == 0)
        pthread_cond_signal(&fan->all_done);
    pthread_mutex_unlock(&fan->lock);
}

/* With their buffers behind them. */
static struct fan_worker *make_workers(struct fan *fan, unsigned count)
{
    size_t item = rv_channel_element_size(fan->in);
    size_t result = fan->out ? rv_channel_element_size(fan->out) : 0, size;
    struct fan_worker *workers;
    unsigned char *buffers;

    /* Each begins where any type may. */
    item = (item + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    result = (result + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (__builtin_mul_overflow(count, sizeof(*workers) + item + result, &size))
        return NULL;
    workers = calloc(1, size);
    if (!workers)
        return NULL;
    buffers = (unsigned char *)(workers + count);
    for (unsigned i = 0; i < count; i++, buffers += item + result)
        workers[i] = (struct fan_worker){.fan = fan, .item = buffers, .result = buffers + item};
    return workers;
}

static int run(struct fan *fan, unsigned count)
{
    unsigned started = 0;
    int r = executor_reserve(count);

    if (r < 0)
        return error_bare(r);
    fan->running = fan->count = count;
    while (started < count && executor_start_reserved(work, &fan->workers[started]) == 0)
        started++;
    pthread_mutex_lock(&fan->lock);
    /* The kernel may refuse a thread that we would allow. Those that run do the work of all. */
    fan->running -= count - started;
    while (fan->running > 0)
        pthread_cond_wait(&fan->all_done, &fan->lock);
    pthread_mutex_unlock(&fan->lock);
    timer_remove(&fan->watch);
    executor_unreserve(count - started);
    if (started == 0)
        return error_bare(-EAGAIN);
    return fan->code < 0 ? error_set(fan->code, fan->text) : fan->code;
}

int rv_fan_run(struct rv_context *ctx, struct rv_channel *in, struct rv_channel *out,
               unsigned workers, rv_fan_function fn, void *arg)
{
    struct fan fan = {.in = in, .out = out, .fn = fn, .arg = arg, .watch = {.fn = watch_due}};
    int r = error_bare(rv_context_err(ctx));

    if (r == 0 && runtime_is_forked())
        r = runtime_refuse_fork();
    if (r == 0)
        r = workers > 0 ? rv_context_with_cancel(ctx, &fan.ctx, NULL) : error_bare(-EINVAL);
    if (r == 0) {
        pthread_mutex_init(&fan.lock, NULL);
        pthread_cond_init(&fan.all_done, NULL);
        pthread_cond_init(&fan.wanted, NULL);
        fan.workers = make_workers(&fan, workers);
        r = fan.workers ? run(&fan, workers) : error_bare(-ENOMEM);
        free(fan.workers);
        pthread_cond_destroy(&fan.wanted);
        pthread_mutex_destroy(&fan.lock);
        pthread_cond_destroy(&fan.all_done);
        rv_context_cancel(cancel_of(fan.ctx), 0, NULL);
        rv_context_unref(fan.ctx);
    }
    if (out)
        rv_channel_close(out);
    return r;
}
