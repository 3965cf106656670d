/* SPDX-License-Identifier: MIT */
/*
 * Pools from within, for pool.c (submitting, life), pool_work.c (workers), pool_claim.c (what a
 * worker takes at once) and pool_retry.c.
 *
 * Properties: accepted = finished + failed + lost + queued + active, at every moment. After the
 * pool's context is done no job starts. Every accepted job is reported once. No job waits while a
 * worker idles, but for the time that waking one takes; behind short jobs, which the workers that
 * are awake do sooner than another one could be woken, for up to about a millisecond, should one of
 * them turn out not to be short; and where workers and submitters share a processor, for
 * POOL_SLEEP_ON.
 *
 * Operation: jobs pass through a ring (ring.h), without a lock as long as nobody sleeps, but for
 * workers that take several at once. RING_STOP on its tail: nothing more is accepted. RING_TELL on
 * its tail: a worker idles and should be woken; on its head: a submitter waits for room. At most
 * one wake-up of a worker is in flight: the woken worker wakes the next if there is more to do
 * once it has taken a job: in the ring, in somebody's claim, or due again. A worker that finds
 * nothing looks at the ring for a while if that has paid of late; nobody needs to be woken while
 * one looks, and who has looked wakes the next as if woken. While what is queued would take less
 * time than waking a worker, those that are awake keep up and nobody is told; a timer (`watch`)
 * looks each millisecond whether that is still so, and if more is queued, or few jobs have ended,
 * all are told again and a worker is woken. A worker that claims jobs looks as well, and one that
 * goes to sleep ends the keeping up, too. Where jobs are short, submitters that found the queue
 * full are woken when half of it is free, but the first in line waits no longer for that than
 * POOL_PUT_OFF, and then sees to those behind, who may have been put off with it. Jobs that wait
 * for a retry keep their place in the capacity: submitters wait for them too. When the context is
 * done, workers report what is left as lost.
 *
 * Safety: the lock protects everything but ctx, options, the ring, and what has a comment of its
 * own. A thread that is about to sleep sets its flag first and looks at the ring then; a push or
 * pop that came before the flag is seen by that look, one that comes after sees the flag: so no
 * wake-up is lost. An idle worker is on the idle list, and whoever takes it off unparks it. A
 * submitter that waits takes the lock once more before it returns; whoever blocks is counted among
 * the callers, and the pool is not freed before they have left. Retries are freed by whoever takes
 * them out of `due` under the lock.
 */
#ifndef REEVE_LIB_POOL_H
#define REEVE_LIB_POOL_H

#include <reeve/pool.h>

#include "lib/internal.h"
#include "lib/ring.h"

/* A job that is queued. */
struct job {
    rv_function fn;
    void *arg;
};

/* The jobs that a worker has taken. */
struct taken_job {
    struct job job;
    unsigned attempts; /* made so far */
};

/* A job that waits for its next attempt. */
struct retry {
    struct list list; /* in retries until its timer is due, then in due */
    struct timer timer;
    struct rv_pool *pool;
    struct taken_job taken;
};

#define CLAIM_MAX 256
/* The time that a claim may take, at the rate of the worker's last jobs. */
#define CLAIM_TIME (250 * RV_MICROSECOND)

struct worker {
    struct list list;     /* in idle */
    struct list all_list; /* in workers_list */
    struct parker *parker;
    bool idle;
    uint64_t from;    /* while it idles: it is woken when tail has come to this ticket */
    struct job *jobs; /* CLAIM_MAX, made when first needed; filled by itself, with the lock */
    _Atomic uint64_t claim;
    /* Written by itself alone, read by whoever adds up. */
    _Atomic uint64_t finished, failed;
    _Atomic bool busy; /* in a job */
    /* Its own. */
    bool landed; /* was woken or has looked, and taken nothing since */
    struct hope hope;
    struct flow flow;
    bool coming_back;     /* for more, not from a rest */
    unsigned turns;       /* that it has taken, see STEAL_EVERY */
    rv_duration job_time; /* what its jobs took of late, each; 0: unknown */
};

struct rv_pool {
    struct rv_context *ctx;
    struct context_hook hook;
    struct rv_pool_options options;
    struct ring ring; /* of struct job */
    pthread_mutex_t lock;
    pthread_cond_t all_gone; /* workers, or callers */
    struct list workers_list;
    struct list idle;
    bool waking;     /* a wake-up of a worker is in flight */
    bool looked_for; /* a worker looks at the ring */
    bool keeping_up; /* those that are awake do, with short jobs */
    bool watched;    /* `watch` is armed: also for a while after they did */
    struct place workers_place, submitters_place;
    struct timer watch;
    uint64_t seen; /* by watch: how many jobs had ended */
    /* The time that jobs took of late, each; 0: unknown. */
    _Atomic rv_duration job_time;
    bool tells_of_workers;  /* RING_TELL on the tail */
    struct list submitters; /* that wait for room; RING_TELL on the head while there are any */
    struct list drainers;   /* that wait for the end of all jobs */
    struct list retries;
    struct list due;
    _Atomic size_t due_count; /* read without the lock */
    size_t retry_count;       /* in retries and due */
    unsigned workers;         /* that have not ended */
    unsigned callers;         /* blocked in the pool, or on their way out */
    bool stopping;
    struct rv_cause discard;   /* written once, before: */
    _Atomic bool discarded;    /* nothing is put aside for a retry any more, nor tried again */
    uint64_t finished, failed; /* of workers that have ended */
    uint64_t lost, retried;
};

/* A submitter or drainer. */
struct pool_waiter {
    struct list list;
    struct wait wait;
    uint64_t from;  /* a submitter is woken when head has come to this ticket */
    uint64_t begun; /* where it was when it began to wait */
    bool sleeps_on; /* for all of the queue */
};

/* For so long a worker sleeps on for all of the queue, where it runs where submitters do. */
#define POOL_SLEEP_ON (50 * RV_MICROSECOND)

/* For so long a submitter waits for half of the queue, where jobs are short. Then it looks for
 * itself. */
#define POOL_PUT_OFF (500 * RV_MICROSECOND)

/* A job that is not worth the waking of a submitter; about what that takes. */
#define SHORT_JOB (5 * RV_MICROSECOND)

/* pool_claim.c */

/* How many jobs a worker should take now. */
size_t claim_size(const struct rv_pool *pool, struct worker *worker);
/* Makes the first jobs of its array the worker's claim. With the lock. */
void claim_publish(struct worker *worker, size_t count);
/* The worker's next job. */
bool claim_next(struct worker *worker, struct job *ret_job);
size_t claim_left(const struct worker *worker);
/* Somebody else takes up to `limit` of it, the last ones. Returns how many; 0 when nothing was
 * left. With the lock. */
size_t claim_take_away(struct worker *worker, struct job *jobs, size_t limit);

/* pool_take.c */

/* A job for the worker. Returns false when there is none. */
bool pool_take_work(struct rv_pool *pool, struct worker *worker, struct taken_job *ret_taken);
/* With the lock: a job that nobody has begun, wherever it is. */
bool pool_take_any(struct rv_pool *pool, struct taken_job *ret_taken);

/* pool_retry.c */

/* Puts a failed job aside for its next attempt. Returns false when it has none, or there is no
 * memory. */
bool retry_put_aside(struct rv_pool *pool, const struct taken_job *taken);
/* With the lock: a job whose time has come. */
bool retry_take(struct rv_pool *pool, struct taken_job *ret_taken);
/* With the lock: makes the time of all have come. */
void retry_hasten(struct rv_pool *pool);

/* pool_wake.c; all with the lock. Those that wake one return whom to unpark after it; NULL for
 * nobody. */
struct parker *pool_wake_worker(struct rv_pool *pool);
struct parker *pool_wake_submitter(struct rv_pool *pool);
/* As many as there is room for; unparks all but the one that it returns. */
struct parker *pool_wake_submitters(struct rv_pool *pool);
void pool_wake_all_workers(struct rv_pool *pool);
void pool_wake_all_waiters(struct list *waiters);
struct parker *pool_take_off_idle(struct worker *worker);
/* Whether the workers that are awake will do for now. */
bool pool_keep_up(struct rv_pool *pool);
/* Ends that where there is more to do than they do sooner than another could be woken. */
void pool_fall_behind(struct rv_pool *pool);
void pool_watch_due(struct timer *timer); /* without the lock */
/* Set or clear the flags for those who wait. */
void pool_tell_of_workers(struct rv_pool *pool);
void pool_tell_of_submitters(struct rv_pool *pool);
/* Whether a job waits, wherever it is. */
bool pool_has_work(const struct rv_pool *pool);
/* Whether every job that was accepted has ended, however; who waits for that is woken. */
bool pool_has_ended_all(const struct rv_pool *pool);
void pool_check_drained(struct rv_pool *pool);

/* pool_work.c */
void pool_work(void *arg);
/* With the lock, which it gives up for the reports. */
void pool_lose_all(struct rv_pool *pool, const struct rv_cause *cause);

#endif
