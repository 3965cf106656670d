/* SPDX-License-Identifier: MIT */
/*
 * The ring: lib/ring.h, with two cells, one or two pushers, as many poppers that take up to two at
 * once, and whoever stops it at any moment. The other models take a push or pop, with the flags
 * that it saw, for one step: this one says why they may.
 *
 * Checked under sequential consistency; memory order is argued in ring.h, and for ThreadSanitizer
 * and tests/lib/.
 *
 * Here                     there
 * tail, tail_stop,         the word ring->tail: what is read or compared of it is one step
 * tail_tell; head, ...     ring->head, likewise
 * number[], value[]        struct ring_cell
 * pusher                   ring_push_begin(), ring_copy(), ring_pushed()
 * popper                   ring_filled(), ring_pop_begin(), ring_copy(), ring_popped()
 * push_waits[], ...        who sleeps for room or an element, as in channel.h and pool.h: sets
 *                          RING_TELL, and looks (ring_length()) then
 * closed                   channel->closed, which is set after RING_STOP
 *
 * Checked: never more than CAPACITY inside; each element comes out once, whole, in its ticket's
 * turn; after RING_STOP no push succeeds, and what was pushed before is popped, by who looks once
 * more after he has seen it closed; nobody sleeps for ever (no invalid end state).
 *
 * Variants: PUSHERS=2,POPPERS=1,CAPACITY=2 PUSHERS=2,POPPERS=1,CAPACITY=1
 *           PUSHERS=1,POPPERS=2,CAPACITY=1
 * More: PUSHERS=1,POPPERS=2,CAPACITY=2
 */
#ifndef BUG_ONE_CELL
#define CELLS 2
#else
#define CELLS 1
#endif
#define ELEMENTS 3 /* of which the second pusher has one: over two cells, a lap and a half */
#define LIMIT    2
#define LAP(ticket) ((ticket) - (ticket) % CELLS)

byte tail, head, head_seen;
bool tail_stop, tail_tell, head_tell, closed;
byte number[CELLS], value[CELLS];
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
    byte ticket, seen, count;
    bool tell;

again:
    if :: count == (me == 0 -> ELEMENTS + 1 - PUSHERS : 1) -> goto done :: else fi;
    atomic { ticket = tail; tell = tail_tell; if :: tail_stop -> goto done :: else fi };
look:
    atomic { if :: ticket - head_seen < CAPACITY -> goto not_full :: else fi };
    seen = head;
    head_seen = seen;
    atomic {
        if
        :: ticket - seen < CAPACITY -> seen = 0
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
#ifndef BUG_CELL_UNSEEN
    if :: number[ticket % CELLS] != LAP(ticket) -> goto again :: else fi;
#endif
    atomic {
        if
#ifndef BUG_STOP_ASIDE
        :: ticket == tail && !tail_stop && tell == tail_tell ->
#else
        :: ticket == tail && tell == tail_tell ->
#endif
            assert(!tail_stop);
            put[ticket] = me * ELEMENTS + count + 1;
            tail++;
            assert(tail - head <= CAPACITY)
        :: else -> goto again
        fi
    };
#ifndef BUG_NUMBER_FIRST
    value[ticket % CELLS] = me * ELEMENTS + count + 1;
    number[ticket % CELLS] = LAP(ticket) + 1;
#else
    number[ticket % CELLS] = LAP(ticket) + 1;
    value[ticket % CELLS] = me * ELEMENTS + count + 1;
#endif
    count++;
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
    slot = (ticket + n) % CELLS;
#ifdef BUG_EMPTIED_FIRST
    number[slot] = LAP(ticket + n) + CELLS;
#endif
    d_step {
        assert(value[slot] == put[ticket + n] && !popped[ticket + n]);
        popped[ticket + n] = true
    };
#ifndef BUG_EMPTIED_FIRST
    number[slot] = LAP(ticket + n) + CELLS
#endif
}

proctype popper(byte me)
{
    byte ticket, seen, count, slot;
    bool tell, last;

again:
    atomic { ticket = head; tell = head_tell; count = 0 };
    do
    :: count < LIMIT && number[(ticket + count) % CELLS] == LAP(ticket + count) + 1 -> count++
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
