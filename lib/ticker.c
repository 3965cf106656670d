/* SPDX-License-Identifier: MIT */
/*
 * Tickers: a grid and who waits for its next point.
 *
 * Properties: a tick is a point of the grid, is given out once, and never before its time. Ticks
 * that nobody took are one, the latest. A stop ends all waits, for good.
 *
 * Operation: there is no timer behind a ticker: a waiter sleeps with the next point as its
 * deadline, and looks again when it wakes. The first that looks takes the tick and moves the next
 * point beyond now; the others sleep on. A reset moves the grid and wakes everybody to look at it.
 *
 * Safety: the lock protects all fields. A waiter is on the list before the lock is given up in
 * which it saw the grid, so that a reset or stop finds it, and takes the lock once more before it
 * leaves.
 */
#include <errno.h>
#include <reeve/ticker.h>
#include <stdlib.h>

#include "base/macro.h"
#include "lib/internal.h"

struct rv_ticker {
    pthread_mutex_t lock;
    rv_duration interval;
    rv_time next;
    bool stopped;
    struct list waiters;
};

struct ticker_waiter {
    struct list list;
    struct wait wait;
};

int rv_ticker_create(rv_duration interval, struct rv_ticker **ret_ticker)
{
    struct rv_ticker *ticker;

    if (interval <= 0)
        return error_bare(-EINVAL);
    ticker = calloc(1, sizeof(*ticker));
    if (!ticker)
        return error_bare(-ENOMEM);
    pthread_mutex_init(&ticker->lock, NULL);
    list_init(&ticker->waiters);
    ticker->interval = interval;
    ticker->next = deadline_after(interval);
    *ret_ticker = ticker;
    return 0;
}

void rv_ticker_destroy(struct rv_ticker *ticker)
{
    if (!ticker)
        return;
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}

static void wake_all(struct rv_ticker *ticker)
{
    while (!list_is_empty(&ticker->waiters)) {
        struct ticker_waiter *waiter = list_entry(ticker->waiters.next, struct ticker_waiter, list);

        list_remove(&waiter->list);
        if (wait_claim(&waiter->wait, 1))
            parker_unpark(waiter->wait.parker);
    }
}

/* Under the lock. A tick that is due is taken, with all that were missed before it. */
static bool take_tick(struct rv_ticker *ticker, rv_time *ret_time)
{
    rv_time now = rv_now(), tick;

    if (now < ticker->next)
        return false;
    tick = ticker->next + (now - ticker->next) / ticker->interval * ticker->interval;
    ticker->next = duration_add(tick, ticker->interval);
    if (ret_time)
        *ret_time = tick;
    return true;
}

int rv_ticker_wait(struct rv_context *ctx, struct rv_ticker *ticker, rv_time *ret_time)
{
    for (;;) {
        struct ticker_waiter waiter;
        struct context_hook hook = {.wait = &waiter.wait};
        rv_time deadline;
        int r = rv_context_err(ctx);

        if (r != 0)
            return error_bare(r);
        pthread_mutex_lock(&ticker->lock);
        if (ticker->stopped || take_tick(ticker, ret_time)) {
            r = ticker->stopped ? -EPIPE : 0;
            pthread_mutex_unlock(&ticker->lock);
            return error_bare(r);
        }
        deadline = ticker->next;
        wait_init(&waiter.wait);
        list_append(&ticker->waiters, &waiter.list);
        pthread_mutex_unlock(&ticker->lock);
        if (context_hook_add(ctx, &hook) != 0)
            wait_claim(&waiter.wait, WAIT_CANCEL);
        else
            wait_for(&waiter.wait, deadline);
        context_hook_remove(ctx, &hook);
        pthread_mutex_lock(&ticker->lock);
        list_remove(&waiter.list);
        pthread_mutex_unlock(&ticker->lock);
    }
}

int rv_ticker_reset(struct rv_ticker *ticker, rv_duration interval)
{
    if (interval <= 0)
        return error_bare(-EINVAL);
    pthread_mutex_lock(&ticker->lock);
    ticker->interval = interval;
    ticker->next = deadline_after(interval);
    wake_all(ticker);
    pthread_mutex_unlock(&ticker->lock);
    return 0;
}

void rv_ticker_stop(struct rv_ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    ticker->stopped = true;
    wake_all(ticker);
    pthread_mutex_unlock(&ticker->lock);
}

int rv_periodic_run(struct rv_context *ctx, rv_duration interval, rv_function fn, void *arg)
{
    struct rv_ticker *ticker;
    int r = rv_ticker_create(interval, &ticker);

    if (r < 0)
        return r;
    do {
        r = error_bare(rv_context_err(ctx));
        if (r == 0)
            r = call_function(fn, ctx, arg);
        if (r >= 0)
            r = rv_ticker_wait(ctx, ticker, NULL);
    } while (r >= 0);
    rv_ticker_destroy(ticker);
    return r;
}
