/* SPDX-License-Identifier: MIT */
/*
 * Pools: lib/pool.c, lib/pool_work.c, lib/pool_take.c, lib/pool_claim.c, lib/pool_wake.c, and of lib/pool_retry.c
 * what becomes due.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/. A push
 * or pop is one step with the flags that it saw (ring.pml). Who is taken off a list is woken
 * (parker.pml).
 *
 * Here                     there
 * lock                     pool->lock; what is done with it between two looks at the ring is a step
 * length, capacity, stop   pool->ring and RING_STOP on its tail
 * tell_workers             RING_TELL on its tail, for idle workers
 * tell_submitters          RING_TELL on its head, for those who wait for room
 * claim[]                  how many jobs are left of a worker's claim
 * due, later               pool->due, pool->retries
 * waking, looked_for, ...  pool->waking, looked_for, keeping_up
 * watch                    pool->watch, pool_watch_due(); that a millisecond passes is a step
 * idle[], landed           worker->idle, landed
 * line, result[], patient[] pool->submitters, their waits, and whether one wakes by itself
 * worker                   pool_work(), with work_once(), look_for_work(), rest()
 * submitter                rv_pool_submit()
 * timer                    timer_due() of a retry
 * owner                    rv_pool_drain() or none, rv_pool_destroy()
 * canceller                rv_pool_cancel() with pool_cancelled(), or a submitter's context
 *
 * Checked: every job that was accepted has ended, finished or lost, when a drain returns and when
 * the pool is gone; no job waits while a worker idles, and no submitter while there is room: jobs
 * end only when that is so, and must end; nobody sleeps for ever (no invalid end state).
 *
 * Variants: CLAIMS LOOKING RETRY ROOM KEEPING
 * More: LOOKING,EACH=2 RETRY,LATER=2 CLAIMS,KEEPS_UP
 * Found in: BUG_REST_IN_CANCEL RETRY; BUG_ROOM_KEPT ROOM; BUG_TIME_OUT_ALONE ROOM; BUG_NO_WATCH KEEPING; BUG_LEFT_ALONE CLAIMS
 */
#ifdef CLAIMS /* three workers, jobs that one of them may claim */
#define WORKERS    3
#define SUBMITTERS 1
#define EACH       3
#define JOBS       0
#define QUEUE      4
#define BATCH      3
#define QUIET
#endif
#ifdef LOOKING /* likewise with two, who look before they idle */
#define WORKERS    2
#define SUBMITTERS 1
#define JOBS       1
#define QUEUE      2
#define BATCH      2
#endif
#ifdef KEEPING /* two workers, one of which may keep up */
#define WORKERS    2
#define SUBMITTERS 1
#define EACH       2
#define JOBS       0
#define QUEUE      2
#define BATCH      2
#define QUIET
#define KEEPS_UP
#endif
#ifdef ROOM /* two submitters at a full queue, which two workers leave more than half full */
#define WORKERS    2
#define SUBMITTERS 2
#define JOBS       5
#define QUEUE      5
#define BATCH      1
#define QUIET
#endif
#ifdef RETRY /* jobs that wait for their next attempt, with room for one more */
#define WORKERS    2
#define SUBMITTERS 1
#define JOBS       0
#ifndef LATER
#define LATER 1
#endif
#define QUEUE (LATER + 1)
#define BATCH 1
#endif
#ifndef EACH
#define EACH 1
#endif
#ifndef LATER
#define LATER 0
#endif
#define NOBODY 9

mtype = { PENDING, SERVED, CANCEL, OVER };

bool lock, stop, tell_workers, tell_submitters, waking, looked_for, cancelled, stopping;
bool keeping_up, armed, progress;
byte length = JOBS, due, later = LATER, claim[WORKERS];
short capacity = QUEUE - LATER;
bool idle[WORKERS];
byte idlers, workers = WORKERS;

chan line = [2] of { byte };
mtype result[2] = PENDING;
bool patient[2], waits[2], submitter_cancelled;

byte accepted = JOBS + LATER, running, ended, returned;
bool drainer_waits;

#define LEFT (length + due + claim[0] + (WORKERS > 1 -> claim[WORKERS - 1] : 0) + \
    (WORKERS > 2 -> claim[1] : 0))

#include "pool_wake.pml"

proctype worker(byte me)
{
    byte x, count;
    short room;
    bool woke, tell, landed, looked, more;

again:
    if :: cancelled -> goto lose_all :: else fi;
    /* take_work() */
#if BATCH > 1
    if /* take_left(), now and then */
    :: skip
    :: atomic {
            !lock ->
            x = 0;
            do
            :: x < WORKERS && claim[x] == 0 -> x++
            :: else -> break
            od;
            if
            :: x < WORKERS ->
                count = claim[x];
                claim[x] = 0;
                claim[me] = count - 1;
                count = 0;
                x = 0;
                running++;
#ifndef BUG_LEFT_ALONE
                wake_next();
#endif
                landed = false;
                goto run_it
            :: else -> x = 0
            fi
        }
    fi;
#endif
    atomic { count = 0; tell = false; more = false };
    if
    :: due == 0 ->
        /* One job without the lock, or a claim of several with it. The choice is part of the step: no other
         * process could see it earlier. */
        atomic {
            if
            :: length > 0 -> length--; count = 1; running++; tell = tell_submitters
            :: BATCH > 1 && !lock && length > 0 ->
                count = (length < BATCH -> length : BATCH);
                length = length - count;
                claim[me] = count - 1;
                running++;
                fall_behind();
                tell = tell_submitters
            :: length == 0
            fi
        }
    :: else
    fi;
    if
    :: count > 0 ->
#ifndef BUG_LANDED_BLIND
        more = landed || count > 1 || length > 0;
#else
        more = count > 1 || length > 0;
#endif
        atomic { more = more && tell_workers; landed = false };
        if
        :: more || tell ->
            /* wake_others() */
            atomic {
                !lock ->
                if :: more -> wake_next() :: else fi;
                if
                :: len(line) > 0 ->
                    line?<x>;
                    if
                    :: patient[x] && length > capacity / 2 -> x = 0 /* put off */
                    :: x = 0; wake_submitters()
                    fi
                :: else
                fi
            }
        :: else
        fi;
        goto run_it
    :: else
    fi;
    atomic {
        !lock ->
        if
        :: due > 0 ->
            due--;
            capacity++;
            count = 1;
            wake_submitter()
        :: due == 0 && claim[0] > 0 -> claim[0]--; count = 1
        :: due == 0 && claim[0] == 0 && WORKERS > 1 && claim[WORKERS - 1] > 0 ->
            claim[WORKERS - 1]--;
            count = 1
        :: due == 0 && claim[0] == 0 && WORKERS > 2 && claim[WORKERS - 1] == 0 &&
            claim[1 % WORKERS] > 0 ->
            claim[1 % WORKERS]--;
            count = 1
        :: else
        fi;
        if
        :: count > 0 ->
            running++;
#ifndef BUG_THIEF_ALONE
            wake_next();
#endif
            landed = false
        :: else
        fi
    };
    if :: count > 0 -> goto run_it :: else fi;
    goto rest;
run_it:
    atomic { looked = false; count = 0; tell = false; more = false };
    /* The job, which does not end while another one waits beside an idle worker; or while there is a
     * submitter, for whom two places become free. */
    atomic {
#ifndef ROOM
        cancelled || LEFT == 0 || idlers == 0 ->
#else
        cancelled || returned == SUBMITTERS ->
#endif
        running--;
        progress = true;
        ended++
    };
    atomic {
        if
        :: !cancelled && claim[me] > 0 -> claim[me]--; running++; goto run_it
        :: else -> goto again
        fi
    };
lose_all: /* there one after the other, reported without the lock */
    do
    :: atomic {
            !lock && LEFT + later > 0 ->
            count = LEFT + later;
            running = running + count;
            length = 0;
            due = 0;
            later = 0;
            claim[0] = 0;
            claim[WORKERS - 1] = 0;
            claim[1 % WORKERS] = 0
        };
        atomic {
            !lock ->
            running = running - count;
            ended = ended + count;
            count = 0;
            check_drained()
        }
    :: atomic { LEFT + later == 0 -> break }
    od;
rest:
    /* look_for_work(), or wait_idle(), which keeps the lock until it sleeps. The choice is part of the
     * step, as above. */
    atomic {
        !lock ->
        check_drained();
        if
#ifndef QUIET
        :: !looked && !looked_for && !stopping ->
            looked_for = true;
            looked = true;
            tell_of_workers();
            goto land
#endif
        :: looked = false
        fi;
        if
        :: stopping && length == 0 && due + later == 0 ->
            workers--;
            if :: workers > 0 -> wake_all_workers() :: else fi;
            goto the_end
#ifndef BUG_REST_IN_CANCEL
        :: cancelled && due + later > 0 -> goto again
#endif
        :: else
        fi;
        lock = true;
#ifndef BUG_LOOK_FIRST
        idle[me] = true;
        idlers++;
        keeping_up = false;
        tell_of_workers()
#endif
    };
    atomic {
#ifndef BUG_LOOK_FIRST
        if :: LEFT > 0 -> take_off_idle(me); tell_of_workers(); give(); goto again :: else fi;
#else
        if :: LEFT > 0 -> give(); goto again :: else fi
    };
    atomic {
        idle[me] = true;
        idlers++;
        keeping_up = false;
        tell_of_workers();
#endif
        give()
    };
    atomic {
        !idle[me] && !lock ->
#ifndef BUG_WAKING_STAYS
        waking = false;
#endif
        landed = true;
#ifndef BUG_LANDS_UNTOLD
        land_woken();
#endif
        goto again
    };
land: /* after the look, whether it found a job or not */
    atomic { !lock -> looked_for = false; landed = true; tell_of_workers() };
    goto again;
the_end:
    skip
}

inline leave_line(who)
{
    if :: line??[eval(who)] -> line??eval(who) :: else fi;
    tell_of_submitters()
}

proctype submitter(byte me)
{
    byte x, count;
    short room;
    bool woke, tell, waited;

again:
    atomic {
        tell = false;
        if :: cancelled || (me == 0 && submitter_cancelled) -> goto give_up :: else fi
    };
    /* submit_now() */
    atomic {
        if
        :: stop -> goto give_up
        :: !stop && length < capacity -> length++; accepted++; tell = tell_workers
        :: else -> goto no_room
        fi
    };
    if :: tell -> atomic { !lock -> wake_worker() } :: else fi;
    atomic {
        count++;
        waited = false;
        if :: count == EACH -> goto give_up :: else -> goto again fi
    };
no_room:
    atomic {
        !lock ->
        lock = true;
        result[me] = PENDING;
        patient[me] = !waited;
        line!me;
        tell_of_submitters()
    };
    if
    :: atomic { length < capacity || stop -> leave_line(me); give(); goto again }
    :: atomic { length >= capacity && !stop -> give() }
    fi;
    atomic {
        if
        :: me == 0 && submitter_cancelled && result[me] == PENDING -> result[me] = CANCEL
        :: else -> waits[me] = true
        fi
    };
    do
    :: atomic { result[me] != PENDING -> waits[me] = false; break }
    :: atomic { patient[me] && result[me] == PENDING -> result[me] = OVER }
    od;
    atomic { !lock -> leave_line(me) };
    if
    :: result[me] == OVER -> waited = true
    :: else
    fi;
    patient[me] = false;
    if
#ifndef BUG_ROOM_KEPT
    :: result[me] == CANCEL || cancelled || (me == 0 && submitter_cancelled) ->
        atomic { !lock -> wake_submitters() };
        goto give_up
#endif
#ifndef BUG_TIME_OUT_ALONE
    :: result[me] == OVER -> atomic { !lock -> wake_submitters() }
#endif
    :: else
    fi;
    goto again;
give_up:
    returned++
}

#if LATER > 0
active proctype timer()
{
    do
    :: atomic { !lock && later > 0 -> later--; due++; wake_worker() }
    :: atomic { !lock && later == 0 -> break }
    :: cancelled -> break /* those that are due in an hour nobody can wait for */
    od
}
#endif

#ifdef KEEPS_UP
active proctype watch()
{
    do
    :: atomic {
            armed && !lock ->
            if
            :: keeping_up && progress -> progress = false
            :: else ->
                armed = false;
                if
                :: keeping_up ->
                    keeping_up = false;
                    tell_of_workers();
                    if :: LEFT > 0 -> wake_worker() :: else fi
                :: else
                fi
            fi
        }
    :: workers == 0 -> break
    od
}
#endif

inline stop_accepting()
{
    stop = true;
    do
    :: len(line) > 0 -> wake_submitter()
    :: else -> break
    od
}

inline cancel_pool()
{
    cancelled = true;
    atomic { !lock -> stop_accepting(); wake_all_workers() }
}

active proctype canceller()
{
    byte x;
    bool woke;

    if
    :: skip
#ifndef QUIET
    :: cancel_pool()
#endif
#ifndef CLAIMS
    :: atomic {
            submitter_cancelled = true;
            if :: waits[0] && result[0] == PENDING -> result[0] = CANCEL :: else fi
        }
#endif
    fi
}

active proctype owner()
{
    byte x;
    bool woke;

    returned == SUBMITTERS;
    if
#ifndef CLAIMS /* where a cancel would release jobs that wait for each other */
    :: skip
#endif
#ifndef ROOM
    :: atomic {
            !lock ->
            stop_accepting();
            drainer_waits = ended != accepted
        };
        !drainer_waits;
        assert(LEFT == 0 && later == 0 && running == 0)
#endif
    fi;
    cancel_pool();
    atomic { !lock -> stopping = true; wake_all_workers() };
    workers == 0;
    !lock; /* pthread_cond_wait() comes back with it */
    assert(LEFT == 0 && later == 0 && running == 0);
    assert(accepted == ended)
}

init
{
    byte i;

    atomic {
        for (i : 0 .. WORKERS - 1) {
            run worker(i)
        }
        for (i : 0 .. SUBMITTERS - 1) {
            run submitter(i)
        }
    }
}
