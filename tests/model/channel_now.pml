/* SPDX-License-Identifier: MIT */
/* For channel.pml: who is served, and what can be done at once. */
inline take(ch) { atomic { !lock[ch] -> lock[ch] = true } }
inline give(ch) { lock[ch] = false }

inline update_flag(q)
{
    tell[q] = CAPACITY > 0 && len(queue[q]) > 0 && waking[q] == 0
}

inline comes_out(value)
{
    assert(value % 4 == out[value / 4] + 1);
    out[value / 4]++
}

inline claim(q)
{
    w = NONE;
    do
    :: w != NONE || len(queue[q]) == 0 -> break
    :: else ->
        queue[q]?x;
        assert(!gone[x / 2]);
        if
        :: result[x / 2] == PENDING ->
            result[x / 2] = (x % 2 -> TOKEN1 : TOKEN0);
            counted[x] = CAPACITY > 0;
            waking[q] = waking[q] + (CAPACITY > 0 -> 1 : 0);
            w = x
        :: else
        fi
    od;
    x = 0;
    update_flag(q)
}

/* Moves the element of who is claimed; told says whether somebody else must be told. */
inline pop_for(ch)
{
    atomic {
        told = false;
        assert(!gone[w / 2]);
        if
        :: len(ring[ch]) > 0 ->
            ring[ch]?x;
            comes_out(x);
            got[w / 2] = x;
            x = 0;
            told = tell[SENDERS(ch)] && !closed[ch]
        :: else -> retry[w] = true
        fi
    }
}

inline push_for(ch)
{
    atomic {
        told = false;
        assert(!gone[w / 2] && !stop[ch]);
        if
        :: len(ring[ch]) < CAPACITY -> ring[ch]!element[w / 2]; told = tell[RECEIVERS(ch)]
        :: else -> retry[w] = true
        fi
    }
}

inline claim_receiver(ch)
{
    atomic {
        w = NONE;
        if
        :: !closed[ch] && waking[RECEIVERS(ch)] == 0 && len(ring[ch]) > 0 -> claim(RECEIVERS(ch))
        :: else
        fi
    }
}

inline claim_sender(ch)
{
    atomic {
        w = NONE;
        if
        :: !closed[ch] && waking[SENDERS(ch)] == 0 && len(ring[ch]) < CAPACITY &&
            len(queue[SENDERS(ch)]) > 0 ->
            queue[SENDERS(ch)]?<x>;
            if /* when its time is over nobody knows */
            :: patient[x / 2] && len(ring[ch]) > CAPACITY / 2 -> x = 0
            :: x = 0; claim(SENDERS(ch))
            fi
        :: else
        fi
    }
}

inline serve_receiver_in_turn(ch)
{
    if
    :: told ->
        claim_receiver(ch);
        if :: w != NONE -> pop_for(ch); assert(!told) :: else fi
    :: else
    fi
}

inline serve_sender_in_turn(ch)
{
    if
    :: told ->
        claim_sender(ch);
        if :: w != NONE -> push_for(ch); assert(!told) :: else fi
    :: else
    fi
}

inline forget() { atomic { w = NONE; told = false } }

/* With the lock. */
inline serve_receivers(ch)
{
    claim_receiver(ch);
    if :: w != NONE -> pop_for(ch); serve_sender_in_turn(ch) :: else fi;
    forget()
}

inline serve_senders(ch)
{
    claim_sender(ch);
    if :: w != NONE -> push_for(ch); serve_receiver_in_turn(ch) :: else fi;
    forget()
}

inline push(ch)
{
    atomic {
        told = false;
        if
        :: stop[ch] -> r = PIPE
        :: !stop[ch] && len(ring[ch]) < CAPACITY ->
            ring[ch]!element[me];
            told = tell[RECEIVERS(ch)];
            r = OK
        :: else -> r = AGAIN
        fi
    };
    if :: told -> take(ch); serve_receivers(ch); give(ch) :: else fi
}

inline pop(ch)
{
    atomic {
        told = false;
        if
        :: len(ring[ch]) > 0 ->
            ring[ch]?x;
            comes_out(x);
            got[me] = x;
            x = 0;
            told = tell[SENDERS(ch)];
            r = OK
        :: else -> r = AGAIN
        fi
    }
}

/* With the lock, or all of them: a channel without a capacity. */
inline meet_receiver(ch)
{
    atomic {
        w = NONE;
        if
        :: closed[ch] -> r = PIPE
        :: else ->
            claim(RECEIVERS(ch));
            r = (w == NONE -> AGAIN : OK);
            if :: w != NONE -> comes_out(element[me]); got[w / 2] = element[me] :: else fi
        fi;
        w = NONE
    }
}

inline meet_sender(ch)
{
    atomic {
        w = NONE;
        if
        :: closed[ch] -> r = PIPE
        :: else ->
            claim(SENDERS(ch));
            r = (w == NONE -> AGAIN : OK);
            if :: w != NONE -> comes_out(element[w / 2]); got[me] = element[w / 2] :: else fi
        fi;
        w = NONE
    }
}

inline send_now(ch)
{
#if CAPACITY == 0
    take(ch);
    meet_receiver(ch);
    give(ch)
#else
    push(ch);
    do
    :: r == AGAIN && len(queue[RECEIVERS(ch)]) > 0 ->
        /* make_room() */
        take(ch);
        atomic { claim(RECEIVERS(ch)) };
        if
        :: w == NONE -> give(ch); break
        :: else -> pop_for(ch); serve_sender_in_turn(ch); forget(); give(ch)
        fi;
        push(ch)
    :: else -> break
    od
#endif
}

inline recv_now(ch)
{
#if CAPACITY == 0
    take(ch);
    meet_sender(ch);
    give(ch)
#else
    pop(ch);
    if
    :: r == OK && told -> take(ch); serve_senders(ch); give(ch)
    :: r == AGAIN && closed[ch] ->
#ifndef BUG_ONE_LOOK
        pop(ch);
        told = false;
#endif
        if :: r == AGAIN -> assert(len(ring[ch]) == 0); r = PIPE :: else fi
    :: r == AGAIN && !closed[ch] && len(queue[SENDERS(ch)]) > 0 ->
        /* take_from_sender() */
        take(ch);
        pop(ch);
        if
#ifndef BUG_DEAF_POP
        :: r == OK && told -> serve_senders(ch)
#else
        :: r == OK && told -> told = false
#endif
        :: r == AGAIN -> meet_sender(ch); if :: r == PIPE -> r = AGAIN :: else fi
        :: else
        fi;
        give(ch)
    :: else
    fi
#endif
}

/* With the lock. */
inline enqueue(q, waiter)
{
    queue[q]!waiter;
    if
    :: retry[waiter] -> /* in front */
        x = len(queue[q]);
        do
        :: x > 1 -> queue[q]?w; queue[q]!w; x--
        :: else -> break
        od;
        x = 0;
        w = NONE
    :: else
    fi;
    retry[waiter] = false;
    by_close[waiter] = false;
    update_flag(q)
}

inline dequeue(q, waiter)
{
    atomic {
        if :: queue[q]??[eval(waiter)] -> queue[q]??eval(waiter) :: else fi;
#ifndef BUG_WAKING_STAYS
        if :: counted[waiter] -> waking[q]-- :: else fi;
        counted[waiter] = false;
#endif
        update_flag(q)
    }
}
