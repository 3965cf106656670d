/* SPDX-License-Identifier: MIT */
/* For pool.pml: who is woken; all with the lock. */
inline give() { lock = false }

inline tell_of_workers() { tell_workers = idlers > 0 && !waking && !looked_for && !keeping_up }
inline tell_of_submitters() { tell_submitters = len(line) > 0 }

/* All with the lock. */
inline take_off_idle(who)
{
    idle[who] = false;
    idlers--
}

inline wake_worker()
{
    d_step {
        if
        :: !waking && !looked_for && !keeping_up && idlers > 0 ->
            waking = true;
            if
            :: idle[0] -> take_off_idle(0)
            :: WORKERS > 1 && !idle[0] && idle[WORKERS - 1] -> take_off_idle(WORKERS - 1)
            :: WORKERS > 2 && !idle[0] && !idle[WORKERS - 1] -> take_off_idle(1)
            fi;
            tell_of_workers()
        :: else
        fi
    }
}

/* Whether the jobs are short is open each time. */
inline keep_up()
{
#ifdef KEEPS_UP
    if
    :: keeping_up = true;
#ifndef BUG_NO_WATCH
        if :: !armed -> armed = true; progress = false :: else fi
#endif
    :: keeping_up = false
    fi;
#endif
    tell_of_workers()
}

/* Where more is queued than the worker that has landed takes itself, or a watch runs already: open as well. */
inline land_woken()
{
    if
    :: keep_up()
    :: !armed -> tell_of_workers()
    fi
}

/* Whether there is too much is open each time. */
inline fall_behind()
{
#ifdef KEEPS_UP
    if
    :: keeping_up -> keeping_up = false; tell_of_workers()
    :: skip
    fi
#else
    skip
#endif
}

inline wake_next()
{
    if
    :: idlers > 0 && LEFT > 0 -> keep_up(); wake_worker()
    :: else
    fi
}

inline wake_all_workers()
{
    d_step {
        if :: idle[0] -> take_off_idle(0) :: else fi;
        if :: WORKERS > 1 && idle[WORKERS - 1] -> take_off_idle(WORKERS - 1) :: else fi;
        if :: WORKERS > 2 && idle[1 % WORKERS] -> take_off_idle(1 % WORKERS) :: else fi;
        tell_of_workers()
    }
}

inline wake_submitter()
{
    d_step {
        woke = false;
        do
        :: woke || len(line) == 0 -> break
        :: else ->
            line?x;
            if :: result[x] == PENDING -> result[x] = SERVED; woke = true :: else fi;
            x = 0
        od;
        woke = false;
        tell_of_submitters()
    }
}

inline wake_submitters()
{
    room = capacity - length;
    do
    :: room > 0 && len(line) > 0 -> wake_submitter(); room--
    :: else -> break
    od;
    room = 0
}

inline check_drained()
{
    if :: drainer_waits && ended == accepted -> drainer_waits = false :: else fi
}
