/* SPDX-License-Identifier: MIT */
/*
 * Channels with select: lib/channel.c, lib/channel_wait.c, lib/select.c, and the claim of struct
 * wait.
 *
 * One or two senders, and who receives: one or two plainly, or one by a select of two clauses, as
 * the variant says. A close, or the cancel of a sender or receiver, comes at any moment or never;
 * when nothing moves any more (`timeout`), what is left is looked at, and everybody sent home.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/. A push
 * or pop is one step with the flags that it saw (ring.pml). A wait that is claimed is woken
 * (parker.pml).
 *
 * Here                     there
 * lock[], closed[]         channel->lock, channel->closed
 * ring[], stop[], tell[]   channel->ring; RING_STOP on its tail; RING_TELL for each side
 * queue[], waking[]        the waiters of a side, and those that are claimed and not back
 * result[]                 struct wait
 * retry[], counted[]       the fields of struct channel_waiter
 * patient[]                waiter->patience: may be put off, and wakes by itself in the end
 * claim(), serve_...()     channel_claim(), channel_serve() with serve_waiter(), both ways
 * push(), pop()            channel_push(), channel_pop() and, told, what follows without the lock
 * sender, receiver         operate() with queue() and wait_served()
 * selector                 rv_select() with try_all(), queue_all(), wait_all()
 * closer, canceller        rv_channel_close(), context_hook_add() and run_hooks() (context.pml)
 *
 * Checked: elements come out once each, in their sender's order, and each is received or its sender
 * told that it was not sent; when nothing moves, nobody waits while there is an element for him, or
 * room, or his channel is closed, or he is cancelled; no waiter stays in a queue, none is touched
 * after he has returned, no wake-up stays in flight.
 *
 * Variants: ONE_CHANNEL_TWICE MEET FEWER_RECEIVES TWO_RECEIVERS TWO_CLAUSES
 * More: TWO_SENDERS
 * Found in: BUG_LOOK_FIRST TWO_RECEIVERS; BUG_NOBODY_NEXT TWO_RECEIVERS;
 *     BUG_SLEEPS_PUT_OFF FEWER_RECEIVES
 */
#define NONE 99

#ifdef MEET /* without a capacity; a select over both channels */
#define CAPACITY 0
#define EACH     1
#define TO(me)   (me)
#endif
#ifdef TWO_SENDERS /* and a receiver, until it is closed */
#define CAPACITY 1
#define EACH     (2 - me)
#define TO(me)   0
#define PLAIN
#define ONE_RECEIVER
#endif
#ifdef TWO_RECEIVERS
#define CAPACITY 1
#define EACH     2
#define TO(me)   0
#define PLAIN
#define ONE_SENDER
#endif
#ifdef FEWER_RECEIVES /* which is full; so a sender that is served leaves half of it full */
#define CAPACITY 3
#define FILLED   3
#define EACH     1
#define TO(me)   0
#define PLAIN
#define TAKES 1
#define ONE_RECEIVER
#endif
#ifdef TWO_CLAUSES
#define CAPACITY 1
#define EACH     (2 - me)
#define TO(me)   (me)
#endif
#ifdef ONE_CHANNEL_TWICE /* in both clauses */
#define CAPACITY 1
#define EACH     2
#define TO(me)   0
#define SECOND   0
#define ONE_SENDER
#endif
#ifndef SECOND
#define SECOND 1
#endif
#ifndef FILLED
#define FILLED 0
#endif

mtype = { PENDING, CANCEL, OVER, TOKEN0, TOKEN1, CLOSED };
mtype = { OK, AGAIN, PIPE, GONE };

/* Receivers of a channel are its side 0, senders side 1. */
#define SIDE(channel, side) ((channel) * 2 + (side))
#define RECEIVERS(channel)  SIDE(channel, 0)
#define SENDERS(channel)    SIDE(channel, 1)

bool lock[2], closed[2], stop[2];
chan ring[2] = [3] of { byte };
chan queue[4] = [4] of { byte }; /* of waiters: a party's number, twice, and the clause's */
bool tell[4];
byte waking[4];

mtype result[4] = PENDING;
bool retry[8], counted[8], by_close[8];
bool patient[4], waits[4], gone[4] = true, cancelled[4], done[4];

byte element[2], got[4]; /* an element is its sender's number, times four, and a count from one */
byte out[3];             /* how many of a sender's (2: of those that were there) have come out */
byte sent, received;

#include "channel_now.pml"

/* With the context's hook; a sender that may be put off wakes by itself. */
inline wait_served()
{
    atomic {
        if
        :: cancelled[me] && result[me] == PENDING -> result[me] = CANCEL
        :: else -> waits[me] = true
        fi
    };
    do
    :: atomic { result[me] != PENDING -> waits[me] = false; break }
#ifndef BUG_SLEEPS_PUT_OFF
    :: atomic { patient[me] && result[me] == PENDING -> result[me] = OVER }
#endif
    od
}

inline receive_one()
{
    assert(got[me] != 0);
    received++;
    got[me] = 0
}

proctype sender(byte me)
{
    byte w = NONE, x, count;
    bool told, waited, ready;
    mtype r;

again:
    atomic {
        r = AGAIN;
        ready = false;
        if :: cancelled[me] || count == EACH -> goto the_end :: else fi;
        element[me] = me * 4 + count + 1
    };
    send_now(TO(me));
    if :: r == OK -> goto success :: r == PIPE -> goto the_end :: else fi;
    take(TO(me));
#if CAPACITY == 0
    meet_receiver(TO(me));
    if :: r != AGAIN -> give(TO(me)) :: else fi;
    if :: r == OK -> goto success :: r == PIPE -> goto the_end :: else fi;
#endif
    atomic {
        result[me] = PENDING;
        gone[me] = false;
        patient[me] = CAPACITY > 1 && !waited;
        enqueue(SENDERS(TO(me)), me * 2)
    };
    ready = closed[TO(me)] || (CAPACITY > 0 && len(ring[TO(me)]) < CAPACITY);
    if
    :: ready ->
        dequeue(SENDERS(TO(me)), me * 2);
        gone[me] = true;
        serve_senders(TO(me));
        give(TO(me));
        goto again
    :: else -> give(TO(me))
    fi;
    wait_served();
    take(TO(me));
    dequeue(SENDERS(TO(me)), me * 2);
    serve_senders(TO(me));
    gone[me] = true;
    give(TO(me));
    if
    :: result[me] == CANCEL || by_close[me * 2] -> goto the_end
    :: result[me] == OVER -> waited = true; patient[me] = false; retry[me * 2] = true; goto again
    :: result[me] == TOKEN0 && retry[me * 2] -> goto again
    :: else
    fi;
success:
    atomic { sent++; count++; waited = false; patient[me] = false };
    goto again;
the_end:
    done[me] = true
}

#ifdef PLAIN
proctype receiver(byte me)
{
    byte w = NONE, x, count;
    bool told, ready;
    mtype r;

again:
    atomic { r = AGAIN; ready = false; if :: cancelled[me] -> goto the_end :: else fi };
#ifdef TAKES
    if :: count == TAKES -> goto the_end :: else fi;
#endif
    recv_now(0);
    if :: r == OK -> goto success :: r == PIPE -> goto the_end :: else fi;
    take(0);
#ifndef BUG_LOOK_FIRST
    atomic { result[me] = PENDING; gone[me] = false; enqueue(RECEIVERS(0), me * 2) };
    ready = closed[0] || len(ring[0]) > 0;
#else
    ready = closed[0] || len(ring[0]) > 0;
    atomic { result[me] = PENDING; gone[me] = false; enqueue(RECEIVERS(0), me * 2) };
#endif
    if
    :: ready ->
        dequeue(RECEIVERS(0), me * 2);
        gone[me] = true;
        serve_receivers(0);
        give(0);
        goto again
    :: else -> give(0)
    fi;
    wait_served();
    take(0);
    dequeue(RECEIVERS(0), me * 2);
#ifndef BUG_NOBODY_NEXT
    serve_receivers(0);
#endif
    gone[me] = true;
    give(0);
    if
    :: result[me] == CANCEL || by_close[me * 2] -> goto the_end
    :: result[me] == TOKEN0 && retry[me * 2] -> goto again
    :: else
    fi;
success:
    atomic { receive_one(); count++ };
    goto again;
the_end:
    done[me] = true
}
#else
#if SECOND == 0
#define TAKE_ALL take(0)
#define GIVE_ALL give(0)
#else
#define TAKE_ALL take(0); take(1)
#define GIVE_ALL give(1); give(0)
#endif

inline try_clause(ch)
{
    if :: r == AGAIN -> recv_now(ch) :: else fi
}

inline dequeue_all()
{
    dequeue(RECEIVERS(0), me * 2);
#if CAPACITY > 0
    serve_receivers(0);
#endif
    dequeue(RECEIVERS(SECOND), me * 2 + 1);
#if CAPACITY > 0
    serve_receivers(SECOND)
#endif
}

proctype selector(byte me)
{
    byte w = NONE, x;
    bool told, ready;
    mtype r;

again:
    atomic { r = AGAIN; ready = false; if :: cancelled[me] -> goto the_end :: else fi };
    if /* from a random clause on */
    :: skip; try_clause(0); try_clause(SECOND)
    :: skip; try_clause(SECOND); try_clause(0)
    fi;
    if :: r == OK -> goto success :: r == PIPE -> goto the_end :: else fi;
    TAKE_ALL;
#if CAPACITY == 0
    meet_sender(0);
    if :: r == AGAIN -> meet_sender(SECOND) :: else fi;
    if :: r != AGAIN -> GIVE_ALL :: else fi;
    if :: r == OK -> goto success :: r == PIPE -> goto the_end :: else fi;
#endif
    atomic {
        result[me] = PENDING;
        gone[me] = false;
        enqueue(RECEIVERS(0), me * 2)
    };
    ready = closed[0] || len(ring[0]) > 0;
    atomic { enqueue(RECEIVERS(SECOND), me * 2 + 1) };
    ready = ready || closed[SECOND] || len(ring[SECOND]) > 0;
    if
    :: ready ->
#ifndef BUG_NOT_ABANDONED
        result[me] = OVER;
#endif
        dequeue_all();
        gone[me] = true;
        GIVE_ALL;
        goto again
    :: else -> GIVE_ALL
    fi;
    wait_served();
    TAKE_ALL;
#ifndef BUG_STAY_QUEUED
    dequeue_all();
#endif
    gone[me] = true;
    GIVE_ALL;
    if
    :: result[me] == CANCEL -> goto the_end
    :: else
    fi;
    x = (result[me] == TOKEN0 -> me * 2 : me * 2 + 1);
    if
    :: by_close[x] -> goto the_end
    :: !by_close[x] && retry[x] -> x = 0; goto again
    :: else -> x = 0
    fi;
success:
    atomic { receive_one() };
    goto again;
the_end:
    done[me] = true
}
#endif

inline cancel(who)
{
    atomic {
        cancelled[who] = true;
        if :: waits[who] && result[who] == PENDING -> result[who] = CANCEL :: else fi
    }
}

active proctype closer()
{
    byte w = NONE, x;
    bool told;

    if
    :: skip
    :: cancel(0)
    :: cancel(2)
    :: take(0);
        stop[0] = true;
        closed[0] = true;
        atomic {
            do
            :: claim(SENDERS(0)); if :: w == NONE -> break :: else -> by_close[w] = true fi
            od
        };
        do
        :: atomic { claim(RECEIVERS(0)) };
            if
            :: w == NONE -> break
            :: CAPACITY == 0 && w != NONE -> by_close[w] = true
            :: else ->
                pop_for(0);
                atomic { by_close[w] = retry[w]; retry[w] = false }
            fi
        od;
        forget();
        give(0)
    fi
}

inline look_at_receiver(who, ch)
{
    assert(done[who] || (waits[who] && !closed[ch] && !cancelled[who] && len(ring[ch]) == 0 &&
        len(queue[SENDERS(ch)]) == 0))
}

inline look_at_sender(who)
{
    assert(done[who] || (waits[who] && !closed[TO(who)] && !cancelled[who] &&
        len(ring[TO(who)]) == CAPACITY))
}

init
{
    byte i;

    atomic {
        do
        :: len(ring[0]) < FILLED -> i++; ring[0]!8 + i
        :: else -> break
        od;
        i = 0;
        run sender(0);
#ifndef ONE_SENDER
        run sender(1);
#else
        done[1] = true;
#endif
#ifdef PLAIN
        run receiver(2);
#ifndef ONE_RECEIVER
        run receiver(3)
#else
        done[3] = true
#endif
#else
        run selector(2);
        done[3] = true
#endif
    };
    timeout;
    d_step {
        look_at_sender(0);
        look_at_sender(1);
        look_at_receiver(2, 0);
        look_at_receiver(3, 0);
#ifndef PLAIN
        look_at_receiver(2, SECOND)
#endif
    };
    cancel(0);
    cancel(1);
    cancel(2);
    cancel(3);
    done[0] && done[1] && done[2] && done[3];
    assert(received == out[0] + out[1] + out[2]);
    assert(sent + FILLED == received + len(ring[0]) + len(ring[1]));
    for (i : 0 .. 3) {
        assert(len(queue[i]) == 0 && waking[i] == 0)
    }
}
