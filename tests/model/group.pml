/* SPDX-License-Identifier: MIT */
/*
 * Groups: lib/group.c and lib/group_work.c, with a run-up of RUN_UP, two that start functions, one
 * STARTS and the other one less (or SECOND), and THREADS threads at most, of which HELD are used elsewhere until
 * some moment.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/. A push
 * or pop is one step with the flags that it saw (ring.pml). A claimed wait is woken (parker.pml).
 *
 * Here                     there
 * lock                     group->lock; what is done with it between looks at the ring is a step
 * length, progress         group->ring: how many are in it; whether any has left it since `seen`
 * stop, tell               RING_STOP on its tail, RING_TELL on its head
 * workers, coming, ...     the fields of the same name; starting is arriving there
 * roomy                    the same
 * helper                   the executor, with group->help: group_call_for_help(), group_help()
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
 * does not end while another one waits for a thread that could be had, now or when those that are
 * used elsewhere are free; the join returns only when all have run; nobody waits for ever (no invalid
 * end state). Where threads are HELD it is open each time whether a start that waits is refused, and
 * whether the runtime is roomy; elsewhere it is, and somebody cancels.
 *
 * Variants: LIMIT=9,THREADS=1,HELD=0,RUN_UP=2,STARTS=3 LIMIT=1,THREADS=1,HELD=0,RUN_UP=2,STARTS=3
 *           LIMIT=2,THREADS=2,HELD=0,RUN_UP=1,STARTS=2 LIMIT=9,THREADS=2,HELD=0,RUN_UP=2,STARTS=2
 *           LIMIT=9,THREADS=2,HELD=1,RUN_UP=1,STARTS=1,SECOND=1
 *           LIMIT=2,THREADS=3,HELD=1,RUN_UP=1,STARTS=1,SECOND=1
 * More: LIMIT=9,THREADS=2,HELD=1,RUN_UP=1,STARTS=2 LIMIT=2,THREADS=3,HELD=1,RUN_UP=1,STARTS=2
 * Found in: BUG_NO_CHAIN LIMIT=9,THREADS=2,HELD=0,RUN_UP=2,STARTS=2;
 *     BUG_NO_WATCH LIMIT=2,THREADS=2,HELD=0,RUN_UP=1,STARTS=2;
 *     BUG_NO_HELP LIMIT=9,THREADS=2,HELD=1,RUN_UP=1,STARTS=2;
 *     BUG_HELP_OVER_LIMIT LIMIT=2,THREADS=3,HELD=1,RUN_UP=1,STARTS=2
 */
#ifndef SECOND
#define SECOND (STARTS - 1)
#endif

bool lock, stop = true, tell, looking, keeping_up, joining, armed, joined, cancelled;
bool progress, roomy, helping;
byte held = HELD;
byte length, starting, coming, workers, called, running, returned;
chan line = [2] of { byte };
bool waits[2]; /* for room: in the line, or claimed already and not awake yet when it is not */

#define MAY_START_MORE (workers < LIMIT)
#define CAN_START      (MAY_START_MORE && workers < THREADS)
#define THREAD_IS_FREE (workers + held < THREADS)

/* All with the lock. */
inline update_stop()
{
    stop = MAY_START_MORE && (!roomy || (starting == 0 && !looking && !keeping_up))
}

inline count_worker()
{
    assert(workers < LIMIT);
    workers++;
    starting++;
#if HELD > 0
    if :: roomy = true :: roomy = false fi;
#else
    roomy = true;
#endif
    update_stop();
    called++
}

inline start_worker()
{
    if
    :: THREAD_IS_FREE -> count_worker()
    :: else
    fi
}

inline call_for_help()
{
#ifndef BUG_NO_HELP
    helping = true
#else
    skip
#endif
}

inline start_worker_or_call()
{
    if
    :: THREAD_IS_FREE -> count_worker()
    :: else -> call_for_help()
    fi
}

inline keep_up()
{
    if
    :: keeping_up -> skip
    :: !keeping_up && workers > 0 && !joining && roomy ->
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
    bool looked, told, comes;

next:
    atomic {
        looked = false;
        if :: called > 0 -> called-- :: joined -> goto the_end fi
    };
    atomic { !lock -> starting--; coming++; comes = true; update_stop() };
run_all:
    atomic {
        told = false;
        if
        :: length > 0 -> length--; progress = true; running++; told = tell; looked = false
        :: else -> goto nothing
        fi
    };
    if :: comes -> atomic { coming--; comes = false } :: else fi;
    /* after_pop() */
    if
    :: (length > 0 && stop) || (told && length <= RUN_UP / 2) ->
        atomic {
            !lock ->
#ifndef BUG_NO_CHAIN
            if
            :: stop && length > starting + coming -> keep_up(); if :: !keeping_up -> start_worker_or_call() :: else fi
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
    if :: comes -> atomic { coming--; comes = false } :: else fi;
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
    bool starved, may_starve;

again:
    atomic { if :: count == (me == 0 -> STARTS : SECOND) -> goto the_end :: else fi };
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
        :: stop && THREAD_IS_FREE ->
            count_worker();
            if
            :: stop && length < RUN_UP -> length++; count++; starved = false; goto again
            :: stop && length >= RUN_UP -> goto no_room
            :: else -> goto again
            fi
        :: stop && !THREAD_IS_FREE && workers == 0 && !helping -> wake_waiters(); goto refused
        :: stop && !THREAD_IS_FREE && (workers > 0 || helping) -> goto no_room
        :: else -> goto again
        fi
    };
no_room:
    atomic { if :: starved && MAY_START_MORE -> goto refused :: else fi };
#ifndef BUG_WAIT_UNTOLD
    atomic { !lock -> lock = true; waits[me] = true; line!me; tell = true };
    atomic {
        may_starve = MAY_START_MORE;
        if
        :: length < RUN_UP && stop -> call_for_help()
        :: length < RUN_UP && !stop ->
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
        if
        :: !waits[me] || cancelled -> starved = false
#if HELD > 0
        :: may_starve -> starved = true
#endif
        fi;
        waits[me] = false
    };
    atomic {
        !lock ->
        if :: line??[eval(me)] -> line??eval(me) :: else fi;
        tell = len(line) > 0;
        goto again
    };
refused:
    atomic { count++; starved = false; goto again };
the_end:
    returned++
}

active proctype helper()
{
    byte x, room;

    do
    :: atomic {
            helping && THREAD_IS_FREE && !lock ->
            helping = false;
#ifndef BUG_HELP_OVER_LIMIT
            if :: MAY_START_MORE -> count_worker() :: else fi;
#else
            count_worker();
#endif
            wake_waiters()
        }
    :: joined -> break
    od
}

active proctype other()
{
    held = 0
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
                if :: stop && length > 0 -> start_worker_or_call() :: else fi
            fi
        }
    :: joined -> break
    od
}

active proctype joiner()
{
    returned == 2;
    joining = true;
    do
    :: atomic { workers == 0 && !lock && helping && length == 0 -> helping = false }
    :: atomic { workers == 0 && !lock && !helping -> joined = true; break }
    od;
    assert(length == 0 && running == 0 && len(line) == 0)
}

#if HELD == 0
active proctype canceller()
{
    if :: skip :: cancelled = true fi
}
#endif

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
