/* SPDX-License-Identifier: MIT */
/*
 * Groups from within, for group.c (starting, joining) and group_work.c (workers).
 *
 * Properties: at most `limit` functions run at once. A function that was accepted runs; one that
 * was refused never does. The first error wins.
 *
 * Operation: starts pass through a short ring (ring.h) to workers, which run on threads of the
 * runtime for as long as there is something to run. RING_STOP on its tail: a start needs the lock,
 * as a worker may have to be started for it; it is clear while the limit is reached, or a worker is
 * about to look at the ring anyway: one that has been started and not yet looked (it starts the
 * next if there is more), one that found nothing and looks for a while before
 * it ends, or one whose functions have been so short that to start another worker would take longer
 * than to run what is there. If that worker is wrong, a timer finds that little has left the ring
 * for a millisecond, and starts workers for all. RING_TELL on the head: a start waits for room. It
 * is woken when half of the ring is free, as the run-up owes it nothing.
 *
 * Functions of a group may wait for each other, so a start is accepted below the limit only if a
 * thread can be had for it: where the runtime has hardly any left, the tail stays stopped and each
 * start gets its worker with the lock, or waits. Should a thread be missing for one that was
 * accepted all the same, work is queued that becomes a worker as soon as any thread of the runtime
 * is free (`help`).
 *
 * Safety: the lock protects all fields but ctx, limit, ring and those that are atomic. A worker
 * ends only with the lock, the flag set and the ring empty after that: a start that came before is
 * seen, one that comes after needs the lock and finds the worker gone. A start that has to wait
 * sets the flag on the head, and then looks at the ring again. Starts that wait take the lock once
 * more before they return.
 */
#ifndef REEVE_LIB_GROUP_H
#define REEVE_LIB_GROUP_H

#include <reeve/group.h>

#include "lib/internal.h"
#include "lib/ring.h"

/* Accepted starts that wait for a worker: enough that a worker that ends finds the next one there.
 */
#define RUN_UP 32

struct start {
    rv_function fn;
    void *arg;
};

struct rv_group {
    struct rv_context *ctx;
    unsigned limit;   /* 0: none */
    struct ring ring; /* of struct start */
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    unsigned workers;
    unsigned arriving; /* of them, who have not looked at the ring yet */
    /* Workers at their first look at the ring, which takes no lock; each leaves the count before it
     * takes the lock. */
    _Atomic unsigned coming;
    bool looking;    /* one of them looks for a while before it ends */
    bool keeping_up; /* a worker is, with short functions; `watch` is armed */
    bool stopped;    /* RING_STOP on the tail */
    bool roomy;      /* the runtime had threads for a whole run-up when last asked */
    bool helping;    /* `help` is queued, or becomes a worker */
    struct work help;
    struct hope hope; /* of a worker that looks, while it does */
    struct timer watch;
    uint64_t seen; /* by watch: how many had left the ring */
    _Atomic bool joining;
    _Atomic rv_duration run_time; /* what functions took of late, each; 0: unknown */
    struct list waiters;          /* starts that wait for room */
    int code;                     /* the first error */
    char text[RV_ERROR_TEXT_SIZE];
};

struct group_waiter {
    struct list list;
    struct wait wait;
};

/* group_work.c. All but group_watch_due() under the lock. */

void group_watch_due(struct timer *timer);
bool group_may_start_more(const struct rv_group *group);
/* One more worker. Returns 0 or -EAGAIN. */
int group_start_worker(struct rv_group *group);
/* One more as soon as a thread can be had. */
void group_call_for_help(struct rv_group *group);
void group_help(struct work *work);
/* Whether the workers that there are will do for now. */
bool group_keep_up(struct rv_group *group);
/* As many of those who wait for room as there is some for may try again. */
void group_wake_waiters(struct rv_group *group);
/* Sets or clears the flag for them. */
void group_tell_of_waiters(struct rv_group *group);

#endif
