/* SPDX-License-Identifier: MIT */
/*
 * Pools: lib/pool.c and lib/pool_work.c, two workers, a full queue of QUEUE places, and two
 * submitters.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/.
 *
 * Here                     there
 * atomic { ... }           what is done under pool->lock: all that others do without it, claiming a
 *                          wait and marking the context, are single steps, too
 * length, waking           pool->length, waking
 * idle[], idle_first       worker->idle and the list pool->idle: the last one to idle is first
 * waiting[], result[]      pool->submitters and their waits
 * token[]                  the parkers (parker.pml): workers, submitters, who drains
 * worker                   pool_work() with work_once(), wait_idle(), pool_lose_all()
 * submitter                rv_pool_submit(), of one job; the first one's context may be cancelled
 * destroyer                rv_pool_drain() or none, then rv_pool_destroy()
 * canceller                rv_pool_cancel() with pool_cancelled(), at any moment or never
 *
 * Checked: accepted = finished + lost, once both are done; no job starts after a cancel; no job
 * waits while a worker idles (a job that runs ends only when that is so, and must end); nobody
 * sleeps for ever (no invalid end state).
 *
 * Variants: QUEUE=1 QUEUE=2
 */
#define WORKERS    2
#define SUBMITTERS 2
#define NOBODY     9

mtype = { PENDING, SERVED, CANCEL };

bool waking, cancelled, stopping, draining;
byte length = QUEUE, running, accepted = QUEUE, finished, lost; /* it begins full */
bool idle[WORKERS], worker_token[WORKERS];
byte idle_first = NOBODY, idle_second = NOBODY;
byte workers = WORKERS;

bool waiting[SUBMITTERS], submitter_token[SUBMITTERS], submitter_cancelled;
byte first_waiting = NOBODY; /* of the submitters, who came first */
mtype result[SUBMITTERS] = PENDING;
byte gave_up, returned;
bool drainer_waits, drainer_token;

/* With the lock: takes a worker off the idle list and unparks it. */
inline unpark_first()
{
    atomic {
        idle[idle_first] = false;
        worker_token[idle_first] = true;
        idle_first = idle_second;
        idle_second = NOBODY
    }
}

inline wake_worker()
{
    if
    :: !waking && idle_first != NOBODY -> waking = true; unpark_first()
    :: else
    fi
}

inline wake_all_workers()
{
    do
    :: idle_first != NOBODY -> unpark_first()
    :: else -> break
    od
}

/* With the lock: the next submitter that can be claimed. */
inline wake_submitter()
{
    woke = false;
    do
    :: woke || first_waiting == NOBODY -> break
    :: else ->
        next = first_waiting;
        leave_list(next);
        atomic {
            if
            :: result[next] == PENDING ->
                result[next] = SERVED;
                submitter_token[next] = true;
                woke = true
            :: else
            fi
        }
    od;
    next = 0;
    woke = false
}

inline leave_list(who)
{
    atomic {
        waiting[who] = false;
        if
        :: first_waiting == who -> first_waiting = (waiting[1 - who] -> 1 - who : NOBODY)
        :: else
        fi
    }
}

inline check_drained()
{
    if
    :: drainer_waits && length + running == 0 -> drainer_waits = false; drainer_token = true
    :: else
    fi
}

inline be_idle(who)
{
    atomic { idle[who] = true; idle_second = idle_first; idle_first = who }
}

proctype worker(byte me)
{
    byte next;
    bool woke;

    do
    :: atomic { cancelled && length > 0 -> length--; running++ };
        /* pool_lose_all() reports it as lost, without the lock. */
        atomic { running--; lost++; check_drained() }
    :: atomic {
            !cancelled && length > 0 ->
            length--;
            running++;
            wake_submitter();
#ifndef BUG_NO_CHAIN
            if :: length > 0 -> wake_worker() :: else fi
#endif
        };
        /* The job, which does not end while another one waits beside an idle worker. */
        length == 0 || idle_first == NOBODY || cancelled;
        atomic { finished++; running--; check_drained() }
    :: atomic { length == 0 && stopping -> workers--; wake_all_workers(); break }
#ifndef BUG_IDLE_UNLOCKED
    :: atomic { length == 0 && !stopping -> be_idle(me) };
#else
    :: length == 0 && !stopping -> be_idle(me);
#endif
        /* Its token comes only with its being taken off the list. */
        atomic {
            worker_token[me] ->
            worker_token[me] = false;
            assert(!idle[me]);
#ifndef BUG_WAKING_STAYS
            waking = false
#endif
        }
    od
}

proctype submitter(byte me)
{
    byte next;
    bool woke, over, waits;

    do
    :: over -> break
    :: else ->
        atomic {
            waits = false;
            if
            :: cancelled || draining -> gave_up++; over = true
            :: !cancelled && !draining && length < QUEUE ->
                length++;
                accepted++;
                wake_worker();
                over = true
            :: else ->
                result[me] = PENDING;
                waiting[me] = true;
                if :: first_waiting == NOBODY -> first_waiting = me :: else fi;
                waits = true
            fi
        };
        if
        :: waits ->
            /* wait_for() */
            do
            :: result[me] != PENDING -> break
            :: result[me] == PENDING ->
                atomic { submitter_token[me] -> submitter_token[me] = false }
            od;
            leave_list(me);
            if
            :: result[me] == CANCEL || (me == 0 && submitter_cancelled) ->
#ifndef BUG_ROOM_KEPT
                atomic { wake_submitter() };
#endif
                gave_up++;
                over = true
            :: else
            fi
        :: else
        fi
    od;
    returned++
}

/* The first submitter's context, at any moment or never. */
active proctype submitter_canceller()
{
    if
    :: skip
    :: submitter_cancelled = true;
        atomic {
            if
            :: waiting[0] && result[0] == PENDING -> result[0] = CANCEL; submitter_token[0] = true
            :: else
            fi
        }
    fi
}

inline cancel_pool()
{
    cancelled = true;
    atomic { wake_all_workers(); wake_submitter(); wake_submitter() }
}

active proctype canceller()
{
    byte next;
    bool woke;

    if
    :: skip
    :: cancel_pool()
    fi
}

active proctype destroyer()
{
    byte next;
    bool woke;

    returned == SUBMITTERS;
    if
    :: skip
    :: atomic {
            draining = true;
            drainer_waits = length + running > 0;
            drainer_token = !drainer_waits
        };
        drainer_token;
        assert(length + running == 0)
    fi;
    cancel_pool();
    atomic { stopping = true; wake_all_workers() };
    workers == 0;
    assert(length == 0 && running == 0);
    assert(accepted == finished + lost);
    assert(accepted + gave_up == SUBMITTERS + QUEUE)
}

init
{
    atomic { run worker(0); run worker(1); run submitter(0); run submitter(1) }
}
