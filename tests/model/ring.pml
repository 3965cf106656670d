/* SPDX-License-Identifier: MIT */
/*
 * The ring: lib/ring.h, with one or two places, one or two pushers that push up to two at once, as
 * many poppers that take up to two, and whoever stops it at any moment. The other models take a push
 * or pop, with the flags that it saw, for one step: this one says why they may.
 *
 * Checked under sequential consistency; memory order is argued in ring.h, and for ThreadSanitizer
 * and tests/lib/.
 *
 * Here                     there
 * tail, tail_stop,         the word ring->tail: what is read or compared of it is one step
 * tail_tell; head, ...     ring->head, likewise
 * mark[], value[]          ring->marks, which count laps modulo 2 here, and ring->elements
 * pusher                   ring_push_begin(), ring_copy_in(), ring_pushed()
 * popper                   ring_marked(), ring_pop_begin(), ring_copy_out(), ring_popped()
 * push_waits[], ...        who sleeps for room or an element, as in channel.h and pool.h: sets
 *                          RING_TELL, and looks (ring_length()) then
 * closed                   channel->closed, which is set after RING_STOP
 *
 * Checked: never more than CAPACITY inside; each element comes out once, whole, in its ticket's
 * turn; after RING_STOP no push succeeds, and what was pushed before is popped, by who looks once
 * more after he has seen it closed; nobody sleeps for ever (no invalid end state).
 *
 * Variants: PUSHERS=2,POPPERS=1,CAPACITY=2,PLACES=2,PUSH=1 PUSHERS=2,POPPERS=1,CAPACITY=1,PLACES=2,PUSH=1
 *           PUSHERS=1,POPPERS=2,CAPACITY=1,PLACES=2,PUSH=1 PUSHERS=1,POPPERS=1,CAPACITY=2,PLACES=2,PUSH=2
 *           PUSHERS=1,POPPERS=2,CAPACITY=1,PLACES=1,PUSH=1
 * More: PUSHERS=1,POPPERS=2,CAPACITY=2,PLACES=2,PUSH=1 PUSHERS=1,POPPERS=2,CAPACITY=2,PLACES=2,PUSH=2
 * Found in: BUG_NO_LAPS PUSHERS=1,POPPERS=2,CAPACITY=1,PLACES=1,PUSH=1
 */
#ifndef BUG_NO_LAPS
#define LAPS 2
#else
#define LAPS 1
#endif
#define ELEMENTS 3 /* of which the second pusher has one: over two places, a lap and a half */
#define LIMIT    2
#define FREE(ticket) (2 * (((ticket) / PLACES) % LAPS))

byte tail, head, head_seen;
bool tail_stop, tail_tell, head_tell, closed;
byte mark[PLACES], value[PLACES];
byte put[ELEMENTS]; /* with which ticket what was pushed */
bool popped[ELEMENTS];

bool push_waits[2], pop_waits[2];
byte ended;

inline wake_pushers()
{
    d_step { push_waits[0] = false; push_waits[1] = false; head_tell = false }
}

inline wake_poppers()
{
    d_step { pop_waits[0] = false; pop_waits[1] = false; tail_tell = false }
}

proctype pusher(byte me)
{
    byte ticket, seen, count, room, span;
    bool tell;

again:
    atomic { span = 0; room = 0 };
    if :: count == (me == 0 -> ELEMENTS + 1 - PUSHERS : 1) -> goto done :: else fi;
    atomic { ticket = tail; tell = tail_tell; if :: tail_stop -> goto done :: else fi };
look:
    atomic {
        if
        :: ticket - head_seen + PUSH <= CAPACITY -> room = PUSH; goto not_full
        :: else
        fi
    };
    seen = head;
    head_seen = seen;
    atomic {
        if
        :: ticket - seen < CAPACITY ->
            room = (CAPACITY + seen - ticket < PUSH -> CAPACITY + seen - ticket : PUSH);
            seen = 0
        :: else ->
            seen = 0;
            if
            :: ticket == tail && !tail_stop && tell == tail_tell -> goto no_room
            :: else ->
                ticket = tail;
                tell = tail_tell;
                if :: tail_stop -> goto done :: else -> goto look fi
            fi
        fi
    };
not_full:
    atomic {
        if
        :: room > (me == 0 -> ELEMENTS + 1 - PUSHERS : 1) - count ->
            room = (me == 0 -> ELEMENTS + 1 - PUSHERS : 1) - count
        :: else -> skip
        fi
    };
    do
#ifndef BUG_MARK_UNSEEN
    :: span < room && mark[(ticket + span) % PLACES] == FREE(ticket + span) -> span++
#else
    :: span < room -> span++
#endif
    :: else -> break
    od;
    if :: span == 0 -> goto again :: else fi;
    atomic {
        if
#ifndef BUG_STOP_ASIDE
        :: ticket == tail && !tail_stop && tell == tail_tell ->
#else
        :: ticket == tail && tell == tail_tell ->
#endif
            assert(!tail_stop);
            put[ticket] = me * ELEMENTS + count + 1;
            if :: span == 2 -> put[ticket + 1] = me * ELEMENTS + count + 2 :: else fi;
            tail = tail + span;
            assert(tail - head <= CAPACITY)
        :: else -> goto again
        fi
    };
#ifdef BUG_MARK_FIRST
    mark[ticket % PLACES] = FREE(ticket) + 1;
#endif
    value[ticket % PLACES] = me * ELEMENTS + count + 1;
    if :: span == 2 -> value[(ticket + 1) % PLACES] = me * ELEMENTS + count + 2 :: else fi;
#ifndef BUG_MARK_FIRST
    mark[ticket % PLACES] = FREE(ticket) + 1;
#endif
    if :: span == 2 -> mark[(ticket + 1) % PLACES] = FREE(ticket + 1) + 1 :: else fi;
    count = count + span;
    if :: tell -> wake_poppers() :: else fi;
    goto again;
no_room:
    atomic { push_waits[me] = true; head_tell = true };
    seen = head;
    atomic {
        if :: tail - seen < CAPACITY || tail_stop -> push_waits[me] = false :: else fi;
        seen = 0
    };
    !push_waits[me];
    goto again;
done:
    ended++
}

inline pop_one(n)
{
    slot = (ticket + n) % PLACES;
#ifdef BUG_EMPTIED_FIRST
    mark[slot] = FREE(ticket + n + PLACES);
#endif
    d_step {
        assert(value[slot] == put[ticket + n] && !popped[ticket + n]);
        popped[ticket + n] = true
    };
#ifndef BUG_EMPTIED_FIRST
    mark[slot] = FREE(ticket + n + PLACES)
#endif
}

proctype popper(byte me)
{
    byte ticket, seen, count, slot;
    bool tell, last;

again:
    atomic { ticket = head; tell = head_tell; count = 0 };
    do
    :: count < LIMIT && mark[(ticket + count) % PLACES] == FREE(ticket + count) + 1 -> count++
    :: else -> break
    od;
    if
    :: count == 0 ->
        seen = tail;
        atomic {
            if
            :: ticket == head && tell == head_tell && seen == ticket -> seen = 0; goto no_element
            :: else -> seen = 0; goto again
            fi
        }
    :: else
    fi;
    atomic {
        if
        :: ticket == head && tell == head_tell -> head = head + count
        :: else -> goto again
        fi
    };
    pop_one(0);
    if :: count == 2 -> pop_one(1) :: else fi;
    if :: tell -> wake_pushers() :: else fi;
    goto again;
no_element:
    if :: last -> goto done :: else fi;
#ifndef BUG_ONE_LOOK
    if :: closed -> last = true; goto again :: else fi;
#else
    if :: closed -> goto done :: else fi;
#endif
#ifndef BUG_LOOK_FIRST
    d_step { pop_waits[me] = true; tail_tell = true };
    seen = head;
    atomic {
        if :: tail - seen > 0 || closed -> pop_waits[me] = false :: else fi;
        seen = 0
    };
#else
    seen = head;
    if
    :: tail - seen > 0 || closed
    :: else -> d_step { pop_waits[me] = true; tail_tell = true }
    fi;
#endif
    !pop_waits[me];
    goto again;
done:
    ended++
}

active proctype stopper()
{
    byte i;

    tail_stop = true;
    closed = true;
    wake_pushers();
    wake_poppers();
    ended == PUSHERS + POPPERS;
    assert(head == tail);
    for (i : 0 .. tail - 1) {
        assert(popped[i])
    }
}

init
{
    atomic {
        run pusher(0);
        run popper(0);
        if :: PUSHERS == 2 -> run pusher(1) :: else fi;
        if :: POPPERS == 2 -> run popper(1) :: else fi
    }
}
