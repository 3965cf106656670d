/* SPDX-License-Identifier: MIT */
/*
 * Once: lib/once.c, with several callers, each of whom may be cancelled, and a finish after them.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/.
 *
 * Here                     there
 * slot                     once->state
 * done, value              record->done, record->value and code
 * lock, waiting[]          record->lock, record->waiters
 * result[]                 struct wait of a caller; the last one is the finish's
 * caller                   call() and wait_done()
 * runner                   run(), on a thread of the runtime or on the first caller's
 * canceller                a context's hook that claims a caller's wait
 * finisher                 rv_once_destroy()
 *
 * Checked: the function runs exactly once; whoever was not cancelled has its value; nobody sleeps
 * for ever; nothing touches the record after it was freed.
 */
#define CALLERS 3
#define FINISH  CALLERS

mtype = { PENDING, SERVED, CANCEL };

bool slot, done, lock, freed;
byte value, runs, returned;
bool waiting[CALLERS + 1];
mtype result[CALLERS + 1] = PENDING;
chan start = [0] of { bit };

inline claim(who, with)
{
    atomic { if :: result[who] == PENDING -> result[who] = with :: else fi }
}

inline take_lock() { atomic { !lock -> lock = true }; assert(!freed) }
inline give_lock() { assert(!freed); lock = false }

inline run_it()
{
    runs++;
    assert(runs == 1);
    take_lock();
    value = 42;
    done = true;
    who = 0;
    do
    :: who <= CALLERS ->
        if
        :: waiting[who] -> waiting[who] = false; claim(who, SERVED)
        :: else
        fi;
        who++
    :: else -> break
    od;
    give_lock()
}

/* wait_done() */
inline wait_done(me)
{
#ifndef BUG_LOOK_UNLOCKED
    take_lock();
    seen = done;
#else
    seen = done;
    take_lock();
#endif
    if :: !seen -> waiting[me] = true :: else fi;
    give_lock();
    if
    :: !seen ->
        result[me] != PENDING;
        take_lock();
        waiting[me] = false;
        give_lock()
    :: else
    fi
}

proctype caller(byte me)
{
    bool mine, seen;
    byte who;

    if
    :: done -> skip
    :: else ->
#ifndef BUG_NO_SWAP
        atomic { mine = !slot; slot = true };
#else
        mine = !slot;
        slot = true;
#endif
        if
        :: mine ->
            if
            :: start ! 1 /* a thread was to be had */
            :: run_it()
            fi
        :: else
        fi;
        wait_done(me)
    fi;
    if
    :: result[me] == CANCEL
    :: else -> assert(done && value == 42)
    fi;
    returned++
}

active proctype runner()
{
    byte who;

end:
    start ? _;
    run_it()
}

active proctype canceller()
{
    byte who;

    do
    :: who < CALLERS ->
        if
        :: claim(who, CANCEL)
        :: skip
        fi;
        who++
    :: else -> break
    od
}

active proctype finisher()
{
    bool seen;

    returned == CALLERS;
    if
    :: slot ->
#ifndef BUG_FINISH_AT_ONCE
        wait_done(FINISH);
#endif
        take_lock();
        give_lock();
        assert(runs == 1);
        freed = true
    :: else
    fi
}

init
{
    atomic { run caller(0); run caller(1); run caller(2) }
}
