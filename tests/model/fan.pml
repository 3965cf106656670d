/* SPDX-License-Identifier: MIT */
/*
 * Fans: lib/fan.c with WORKERS workers, ITEMS items that are sent at any moments, a close after them,
 * and perhaps a cancel.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/. To
 * receive, waiting or not, is one step (channel.pml).
 *
 * Here                     there
 * lock                     fan->lock
 * length, closed           fan->in
 * led, followers, woken,   the fields of the same name
 * over, keeping_up
 * watch                    fan->watch, watch_due(); that a millisecond passes is a step
 * worker                   work(): receive(), lead_or_follow(), see_to_rest(), call()
 *
 * Whether items are short, as keep_up() asks, is open each time.
 *
 * Checked: no item waits while a worker follows: items end only when that is so, and must end; all
 * workers end after the close or cancel, and without a cancel no item is left; nobody waits for ever
 * (no invalid end state).
 *
 * Variants: WORKERS=2,ITEMS=3 WORKERS=3,ITEMS=3
 */
bool lock, closed, cancelled, led, over, keeping_up, armed, progress;
byte length, followers, woken, ended;

inline wake_follower()
{
    if :: woken < followers -> woken++ :: else fi
}

inline keep_up()
{
    if
    :: keeping_up = true;
#ifndef BUG_NO_WATCH
        if :: !armed -> armed = true; progress = false :: else fi
#endif
    :: keeping_up = false
    fi
}

proctype worker()
{
    bool has;

again:
    has = false;
    /* receive() */
    atomic {
        if
        :: cancelled -> goto the_end
        :: !cancelled && length > 0 -> length--; goto with_item
        :: !cancelled && length == 0 && closed -> goto the_end
        :: else
        fi
    };
    /* lead_or_follow() */
    atomic {
        !lock ->
        if
        :: !led -> led = true; keeping_up = false
        :: led && over -> goto again
        :: led && !over -> followers++; goto follow
        fi
    };
    atomic {
        if
        :: cancelled
        :: !cancelled && length > 0 -> length--; has = true
        :: !cancelled && length == 0 && closed
        fi
    };
    atomic {
        !lock ->
        led = false;
        if :: has -> goto with_item :: else -> goto the_end fi
    };
follow:
    atomic {
        !lock && (woken > 0 || over) ->
        if :: woken > 0 -> woken-- :: else fi;
        followers--;
        goto again
    };
with_item:
    /* see_to_rest() */
    if
    :: followers > 0 ->
        if
        :: !keeping_up ->
            atomic {
                !lock ->
#ifndef BUG_REST_UNSEEN
                if
                :: !led -> keep_up(); if :: !keeping_up -> wake_follower() :: else fi
                :: else
                fi
#endif
            }
        :: else
        fi
    :: else
    fi;
    /* The item, which does not end while another one waits beside a follower. */
    atomic { length == 0 || followers == 0 || cancelled -> progress = true; goto again };
the_end:
    atomic {
        !lock ->
#ifndef BUG_END_UNTOLD
        over = true;
#endif
        ended++
    }
}

active proctype feeder()
{
    byte i;

    for (i : 1 .. ITEMS) {
        length++
    }
    closed = true
}

active proctype canceller()
{
    if :: skip :: cancelled = true fi
}

active proctype watch()
{
    do
    :: atomic {
            armed && !lock ->
            if
            :: keeping_up && progress -> progress = false
            :: else ->
                armed = false;
                if :: keeping_up -> keeping_up = false; wake_follower() :: else fi
            fi
        }
    :: ended == WORKERS -> break
    od
}

active proctype caller()
{
    ended == WORKERS;
    assert(cancelled || length == 0);
    assert(followers == 0 && !led)
}

init
{
    byte i;

    atomic {
        for (i : 1 .. WORKERS) {
            run worker()
        }
    }
}
