/* SPDX-License-Identifier: MIT */
/*
 * Pools: a bounded number of workers and a bounded queue of jobs. A full queue makes submitters
 * wait.
 *
 * Every job that was accepted ends as exactly one of finished, failed or lost, and is reported so:
 * lost are those that a cancel kept from starting. After a cancel nothing more is accepted or
 * started, and jobs in flight see it through their context.
 */
#ifndef REEVE_POOL_H
#define REEVE_POOL_H

#include <reeve/group.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_pool;

enum rv_outcome_kind { RV_OUTCOME_FINISHED, RV_OUTCOME_FAILED, RV_OUTCOME_LOST };

/* How what was submitted to a pool has ended. */
struct rv_outcome {
    rv_function fn;
    void *arg;
    enum rv_outcome_kind kind;
    int code;             /* 0, its error, or for a lost one the cause of the cancel */
    unsigned attempts;    /* 0 for a lost one that never started */
    const char *text;     /* its error text; valid during the call */
    rv_duration duration; /* of the last attempt */
};

/* A job that returns -EBADMSG says that what it was given can never be right: it has no further
 * attempts. Begins as RV_POOL_DEFAULTS, as a timeout of 0 ends each attempt at once. */
struct rv_pool_options {
    size_t size RV_ZERO_;         /* sizeof(struct rv_pool_options) */
    unsigned workers RV_ZERO_;    /* 0: as many as there are processors */
    size_t queue RV_ZERO_;        /* jobs that can wait; 0: 1024 */
    rv_duration timeout RV_ZERO_; /* of one attempt; 0 or less: at once; RV_FOREVER: none */
    unsigned retries RV_ZERO_;    /* further attempts after a failure other than -EBADMSG */
    /* Before the first retry; doubles, with jitter; 0 or less: 100 ms. */
    rv_duration backoff RV_ZERO_;
    /* Of the pauses; 0 or less: 1 minute, or backoff if that is longer. */
    rv_duration backoff_max RV_ZERO_;
    /* Called once for each accepted job, on a worker or on whoever cancels or destroys; may be
     * NULL. Must not block for long, nor destroy the pool. */
    void (*ended)(const struct rv_outcome *outcome, void *arg) RV_ZERO_;
    void *arg RV_ZERO_;
};

/* An initialiser: as many workers as there are processors, no timeout, no retries. */
#define RV_POOL_DEFAULTS {.size = sizeof(struct rv_pool_options), .timeout = RV_FOREVER}

struct rv_pool_stats {
    unsigned workers;
    size_t capacity;
    size_t queued; /* those that wait for a retry included */
    size_t active;
    uint64_t accepted; /* = finished + failed + lost + queued + active */
    uint64_t finished;
    uint64_t failed;
    uint64_t lost;
    uint64_t retried; /* attempts after the first */
};

/*
 * Reserves the workers' threads. The pool's context is a child of ctx. options may be NULL:
 * RV_POOL_DEFAULTS. Returns
 * 0, -EAGAIN when the threads cannot be had, -EINVAL, -ENOTSUP in a child of fork(), or -ENOMEM.
 */
int rv_pool_create(struct rv_context *ctx, const struct rv_pool_options *options,
                   struct rv_pool **ret_pool) RV_MUST_CHECK_;

/*
 * Puts fn(context, arg) in the queue, blocking while it is full. ctx is the submitter's: it ends
 * the blocking, not the job. Returns 0: the job is accepted; or, and then fn never runs: ctx's
 * code; the pool's cause once it is cancelled; -EPIPE once it drains; or -ENOTSUP in a child of
 * fork().
 */
int rv_pool_submit(struct rv_context *ctx, struct rv_pool *pool, rv_function fn,
                   void *arg) RV_MUST_CHECK_;
/* As above, but -EAGAIN instead of blocking. */
int rv_pool_try_submit(struct rv_pool *pool, rv_function fn, void *arg) RV_MUST_CHECK_;

/* Accepts nothing more, and waits until every accepted job has ended, retries included. Returns 0;
 * ctx's code when that comes first, and jobs then go on; or -ENOTSUP in a child of fork(). */
int rv_pool_drain(struct rv_context *ctx, struct rv_pool *pool) RV_MUST_CHECK_;

/* Accepts nothing more, and ends jobs that wait as lost, with this code (0: -ECANCELED) and text;
 * those in flight go on to their end, and have no further attempts. Does not block. */
void rv_pool_discard(struct rv_pool *pool, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends jobs that wait as lost, with this code and text, as of rv_context_cancel(); those in flight
 * see the cancel. Does not block. */
void rv_pool_cancel(struct rv_pool *pool, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Cancels what is left, waits for jobs in flight to return, and frees. NULL does nothing. Callers
 * that are blocked in a submit or drain at that moment return first. Not from a job of the pool,
 * and not before every other call on the pool has returned: a job may run, and tell somebody,
 * before the submit that put it in the queue is over. */
void rv_pool_destroy(struct rv_pool *pool);

/* The jobs that the pool holds and has done; the sum holds always, each part while others work only
 * about. Does not wait for jobs; any thread. */
void rv_pool_stats(struct rv_pool *pool, struct rv_pool_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
