/* SPDX-License-Identifier: MIT */
/*
 * Tickers and periodic functions. Ticks stay on a grid of the interval: there is no drift, and
 * whoever is late loses ticks and never gets a burst of them.
 */
#ifndef REEVE_TICKER_H
#define REEVE_TICKER_H

#include <reeve/group.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_ticker;
struct rv_periodic;

/* Makes a ticker; the first tick is one interval from now. Returns 0, -EINVAL for an interval of 0
 * or less, or -ENOMEM. */
int rv_ticker_create(rv_duration interval, struct rv_ticker **ret_ticker) RV_MUST_CHECK_;
/* Frees it. Nobody may be waiting. NULL does nothing. */
void rv_ticker_destroy(struct rv_ticker *ticker);
/* Blocks until the next tick; returns at once for one that passed since the last call. *ret_time
 * (may be NULL) is when the tick was due. Returns 0, the context's code, or -EPIPE once it is
 * stopped. */
int rv_ticker_wait(struct rv_context *ctx, struct rv_ticker *ticker,
                   rv_time *ret_time) RV_MUST_CHECK_;
/* A new grid from now. Wakes nobody early: who waits gets the new grid's first tick. Returns 0,
 * -EINVAL. */
int rv_ticker_reset(struct rv_ticker *ticker, rv_duration interval) RV_MUST_CHECK_;
/* No more ticks: wakes who waits. */
void rv_ticker_stop(struct rv_ticker *ticker);

/* Runs fn at once and then on every tick, on the calling thread, until it fails or ctx is done.
 * Returns fn's error with its text or the context's code; -EINVAL. */
int rv_periodic_run(struct rv_context *ctx, rv_duration interval, rv_function fn,
                    void *arg) RV_MUST_CHECK_;

struct rv_periodic_spec {
    size_t size RV_ZERO_; /* sizeof(struct rv_periodic_spec) */
    rv_duration interval RV_ZERO_;
    rv_duration delay RV_ZERO_; /* before the first run; 0: at once */
    /* Called once when it has ended, on a thread of the runtime or on the one that stops it: with
     * fn's error and text, or the code of the context. May be NULL. */
    void (*ended)(int code, const char *text, void *arg) RV_ZERO_;
    /*
     * Decides when each run starts, on the monotonic clock, in place of interval and delay: asked
     * at the start, after each run, and by rv_periodic_reschedule(). A time that has passed is due
     * at once, RV_NEVER is never. Called on any thread, with no lock held; must neither block nor
     * call rv_periodic functions. NULL: the grid of interval.
     */
    rv_time (*next)(void *arg) RV_ZERO_;
};

/*
 * As rv_periodic_run(), but in the background, and without a thread while it waits: all share one
 * timer. fn runs on threads of the runtime, never twice at once; each run has a context of its own,
 * a child of ctx, that is cancelled when the run returns. *ret_periodic is set before the first run
 * begins. Returns 0; the context's code when it is done already; -EINVAL; -EAGAIN when a thread
 * that it needs cannot be started; -ENOTSUP in a child of fork(); or -ENOMEM. Ends with
 * rv_periodic_destroy(), which needs no free thread.
 *
 * Want of memory or of threads does not end it once it is started: a run for which there is none is
 * put off, and tried again every tenth of a second until it begins; ticks that pass meanwhile are
 * lost, and next is not asked but for a rv_periodic_reschedule().
 */
int rv_periodic_create(struct rv_context *ctx, const struct rv_periodic_spec *spec, rv_function fn,
                       void *arg, struct rv_periodic **ret_periodic) RV_MUST_CHECK_;

/* The facts that spec.next goes by have changed: while it waits, next is asked again. Does nothing
 * without a next. Any thread, as long as the periodic function lives. */
void rv_periodic_reschedule(struct rv_periodic *periodic);

/* Cancels a run that is under way, waits for it to return (unless called from within it or
 * `ended`), and frees. NULL does nothing. Returns how it ended: fn's error, or the context's code,
 * or -ECANCELED. */
int rv_periodic_destroy(struct rv_periodic *periodic);

#ifdef __cplusplus
}
#endif

#endif
