/* SPDX-License-Identifier: MIT */
/*
 * Groups: lib/group.c and lib/group_work.c, with a run-up of RUN_UP, two that start functions, one
 * STARTS and the other one less, and THREADS threads at most.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/. A push
 * or pop is one step with the flags that it saw (ring.pml). A claimed wait is woken (parker.pml).
 *
 * Here                     there
 * lock                     group->lock; what is done with it between looks at the ring is a step
 * length, progress         group->ring: how many are in it; whether any has left it since `seen`
 * stop, tell               RING_STOP on its tail, RING_TELL on its head
 * workers, starting, ...   the fields of the same name
 * armed                    group->watch; that a millisecond passes is a step of timer
 * worker                   a thread of the executor: work(), after_pop(), look_for_work()
 * starter                  rv_group_go(), with push_locked() and wait_for_room()
 * timer                    group_watch_due()
 * joiner                   rv_group_wait()
 *
 * Whether functions are short, as group_keep_up() asks, and whether a worker looks before it ends,
 * is open each time.
 *
 * Checked: at most LIMIT functions run at once; each one that was accepted runs, though a function
 * does not end while another one waits for a thread that could be had; the join returns only when
 * all have run; nobody waits for ever (no invalid end state).
 *
 * Variants: LIMIT=9,THREADS=1,RUN_UP=2,STARTS=3 LIMIT=1,THREADS=1,RUN_UP=2,STARTS=3
 *           LIMIT=2,THREADS=2,RUN_UP=1,STARTS=2 LIMIT=9,THREADS=2,RUN_UP=2,STARTS=2
 * Found in: BUG_NO_CHAIN LIMIT=9,THREADS=2,RUN_UP=2,STARTS=2;
 *     BUG_NO_WATCH LIMIT=2,THREADS=2,RUN_UP=1,STARTS=2
 */
bool lock, stop = true, tell, starting, looking, keeping_up, joining, armed, joined, cancelled;
bool progress;
byte length, workers, called, running, returned;
chan line = [2] of { byte };
bool waits[2]; /* for room: in the line, or claimed already and not awake yet when it is not */

#define MAY_START_MORE (workers < LIMIT)
#define CAN_START      (MAY_START_MORE && workers < THREADS)

/* All with the lock. */
inline update_stop()
{
    stop = MAY_START_MORE && !starting && !looking && !keeping_up
}

inline start_worker()
{
    if
    :: workers < THREADS ->
        assert(workers < LIMIT);
        workers++;
        starting = true;
        update_stop();
        called++
    :: else
    fi
}

inline keep_up()
{
    if
    :: keeping_up -> skip
    :: !keeping_up && workers > 0 && !joining ->
        keeping_up = true;
#ifndef BUG_NO_WATCH
        armed = true;
#endif
        progress = false;
        update_stop()
    :: true
    fi
}

inline wake_waiters()
{
    room = RUN_UP - length;
    do
    :: room > 0 && len(line) > 0 -> line?x; waits[x] = false; x = 0; room--
    :: else -> break
    od;
    room = 0;
    tell = len(line) > 0
}

proctype worker()
{
    byte x, room;
    bool looked, told;

next:
    atomic {
        looked = false;
        if :: called > 0 -> called-- :: joined -> goto the_end fi
    };
    atomic { !lock -> starting = false; update_stop() };
run_all:
    atomic {
        told = false;
        if
        :: length > 0 -> length--; progress = true; running++; told = tell; looked = false
        :: else -> goto nothing
        fi
    };
    /* after_pop() */
    if
    :: (length > 0 && stop) || (told && length <= RUN_UP / 2) ->
        atomic {
            !lock ->
#ifndef BUG_NO_CHAIN
            if
            :: stop && length > 0 -> keep_up(); if :: !keeping_up -> start_worker() :: else fi
            :: else
            fi;
#endif
            if :: told && length <= RUN_UP / 2 -> wake_waiters() :: else fi
        }
    :: else
    fi;
    told = false;
    /* The function, which does not end while another one waits for a thread. */
    atomic {
        length == 0 || !CAN_START ->
        assert(running <= LIMIT);
        running--;
        goto run_all
    };
nothing:
    if
    :: atomic {
            !lock && !looked && !looking && !joining ->
            looking = true;
            looked = true;
            update_stop()
        };
        atomic { !lock -> looking = false; update_stop(); goto run_all }
    :: true
    fi;
    atomic {
        !lock ->
        lock = true;
#ifndef BUG_LOOK_FIRST
        workers--;
        if :: workers == 0 -> keeping_up = false :: else fi;
        update_stop()
#endif
    };
    atomic {
        if
        :: length > 0 ->
#ifndef BUG_LOOK_FIRST
            workers++;
            update_stop();
#endif
            lock = false;
            goto run_all
        :: else
        fi
    };
    atomic {
#ifdef BUG_LOOK_FIRST
        workers--;
        if :: workers == 0 -> keeping_up = false :: else fi;
        update_stop();
#endif
        wake_waiters();
        lock = false;
        goto next
    };
the_end:
    skip
}

proctype starter(byte me)
{
    byte x, room, count;

again:
    atomic { if :: count == STARTS - me -> goto the_end :: else fi };
    atomic {
        if :: cancelled -> count++; goto again :: else fi;
    };
    atomic {
        if
        :: !stop && length < RUN_UP -> length++; count++; goto again
        :: !stop && length >= RUN_UP -> goto no_room
        :: else
        fi
    };
    /* push_locked() */
    atomic {
        !lock ->
        if :: stop -> keep_up() :: else fi;
        if
        :: stop ->
            start_worker();
            if
            :: stop && workers == 0 -> wake_waiters(); count++; goto again
            :: stop && workers > 0 && length < RUN_UP -> length++; count++; goto again
            :: stop && workers > 0 && length >= RUN_UP -> goto no_room
            :: else -> goto again
            fi
        :: else -> goto again
        fi
    };
no_room:
#ifndef BUG_WAIT_UNTOLD
    atomic { !lock -> lock = true; waits[me] = true; line!me; tell = true };
    atomic {
        if
        :: length < RUN_UP ->
            line??eval(me);
            waits[me] = false;
            tell = len(line) > 0
        :: else
        fi;
        lock = false
    };
#else
    if
    :: length < RUN_UP -> goto again
    :: else
    fi;
    atomic { !lock -> waits[me] = true; line!me; tell = true };
#endif
    atomic {
        !waits[me] || cancelled ->
        waits[me] = false
    };
    atomic {
        !lock ->
        if :: line??[eval(me)] -> line??eval(me) :: else fi;
        tell = len(line) > 0;
        goto again
    };
the_end:
    returned++
}

active proctype timer()
{
    do
    :: atomic { armed && !lock ->
            if
            :: length > 0 && progress && !joining -> progress = false
            :: else ->
                armed = false;
                keeping_up = false;
                update_stop();
                if :: stop && length > 0 -> start_worker() :: else fi
            fi
        }
    :: joined -> break
    od
}

active proctype joiner()
{
    returned == 2;
    joining = true;
    atomic { workers == 0 && !lock -> joined = true };
    assert(length == 0 && running == 0 && len(line) == 0)
}

active proctype canceller()
{
    if :: skip :: cancelled = true fi
}

init
{
    byte i;

    atomic {
        run starter(0);
        run starter(1);
        for (i : 1 .. THREADS) {
            run worker()
        }
    }
}
