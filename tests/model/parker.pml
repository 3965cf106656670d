/* SPDX-License-Identifier: MIT */
/*
 * Parking: the word of lib/parker.c, between one owner and those who unpark it.
 *
 * Like all models here it is checked under sequential consistency, and so says nothing about memory
 * order: that is for ThreadSanitizer, under which the tests of tests/lib/ run.
 *
 * Here                     there
 * word, events             parker->state, the count of parker->event_fd
 * asleep                   whether futex(2) has put the owner to sleep
 * park(), poll()           parker_park(), parker_poll()
 * unparker                 whoever claims a wait and calls parker_unpark()
 * owner                    wait_for(), or a loop around parker_poll(), once a round
 *
 * Checked: no wake-up is lost (the owner ends: no invalid end state); an eventfd that was written
 * is read again, or all later polls would return at once.
 */
#define ROUNDS 3

mtype = { EMPTY, NOTIFIED, PARKED, POLLING };

mtype word = EMPTY;
byte events;
bool asleep;
bool claimed[ROUNDS]; /* the wait of a round has its result */
byte round;           /* that the owner is in */

inline exchange(value)
{
    atomic { old = word; word = value }
}

/* The deadline of a round may pass at any moment, but for the last round, which has none. */
#define may_time_out (round < ROUNDS - 1)

inline park()
{
#ifndef BUG_PARK_BLINDLY
    atomic { old = word; if :: word == EMPTY -> word = PARKED :: else fi }
#else
    atomic { old = EMPTY; word = PARKED }
#endif
    if
    :: old == EMPTY ->
        do
        :: word == PARKED ->
#ifndef BUG_SLEEP_UNSEEN
            atomic { if :: word == PARKED -> asleep = true :: else fi }
#else
            asleep = true;
#endif
            if
            :: !asleep
            :: may_time_out -> timed_out = true; asleep = false; break
            fi
        :: word != PARKED -> break
        od
    :: else
    fi;
    exchange(EMPTY)
}

/* Another descriptor may be ready at any moment where the deadline may pass. */
inline poll()
{
    atomic { old = word; if :: word == EMPTY -> word = POLLING :: else fi }
    if
    :: old != EMPTY -> exchange(EMPTY)
    :: else ->
        if
        :: events > 0
        :: may_time_out -> timed_out = true
        fi;
        exchange(EMPTY);
#ifndef BUG_LEAVE_EVENT
        if
        :: old == NOTIFIED -> atomic { events > 0 -> events = 0 }
        :: else
        fi;
#endif
        assert(events == 0)
    fi
}

active proctype owner()
{
    mtype old;
    bool timed_out;

    do
    :: round < ROUNDS ->
        timed_out = false;
        do
        :: claimed[round] || timed_out -> break
        :: else ->
            if
            :: park()
            :: poll()
            fi
        od;
        round++
    :: else -> break
    od;
    /* A deadline lets the owner go before its wait is claimed; then the claim comes late. */
    word == EMPTY || word == NOTIFIED
}

/* One a round, each at any moment from the start on: most of them come early or late. */
active [ROUNDS] proctype unparker()
{
    mtype old;

    claimed[_pid - 1] = true;
    exchange(NOTIFIED);
    if
    :: old == PARKED -> asleep = false
    :: old == POLLING -> events++
    :: else
    fi
}
