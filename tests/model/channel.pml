/* SPDX-License-Identifier: MIT */
/*
 * Channels with select: lib/channel.c, lib/select.c, and the claim of struct wait.
 *
 * Two channels of capacity CAPACITY, a sender of one element at each, a thread that selects over
 * receiving from both until it has what was sent, and whoever cancels and closes at any moment.
 *
 * Checked under sequential consistency; memory order is for ThreadSanitizer and tests/lib/.
 *
 * Here                     there
 * lock[], closed[]         channel->lock, channel->closed
 * buffered[]               channel->length, for a capacity of one
 * ..._waits[]              the queues of struct channel_waiter
 * result[], token[]        struct wait, and its parker (parker.pml)
 * claim(), serve()         wait_claim(), claim_first() with what follows
 * send_now(), recv_now()   channel_send_now(), channel_recv_now()
 * sender                   operate()
 * selector                 rv_select() with try_all(), enqueue_all(), dequeue_all()
 * closer                   rv_channel_close() of channel 0
 * hook(), canceller        context_hook_add(), run_hooks() (context.pml)
 * gone[]                   a waiter has returned: its stack is no more
 *
 * Checked: an element is received once, or its sender is told that it was not sent; none is lost
 * and none doubled; nobody sleeps for ever while his counterpart does, or after a close or cancel
 * (no invalid end state); nobody's stack is touched after he has returned; nobody stays in a queue.
 *
 * Variants: CAPACITY=0 CAPACITY=1
 */
#define SELECTOR 2 /* the senders are 0 and 1, as their channels */

mtype = { PENDING, CANCEL, TAKEN0, TAKEN1, SENT, REFUSED, WITHDRAWN };

bool lock[2], closed[2], buffered[2];
bool sender_waits[2], receiver_waits[2]; /* in the queue of a channel; each has one at most */

mtype result[3] = PENDING;
bool token[3], cancelled[3], hooked[3], gone[3], served_by_close[3];
mtype outcome[2] = PENDING; /* of the senders */
byte received[2];           /* how often, as the selector sees it */
bool selector_done;

inline take(ch) { atomic { !lock[ch] -> lock[ch] = true } }
inline give(ch) { lock[ch] = false }

inline claim(who, with)
{
    atomic {
        assert(!gone[who]);
        won = result[who] == PENDING;
        if :: won -> result[who] = with :: else fi
    }
}

#define taken(ch) (ch == 0 -> TAKEN0 : TAKEN1)

/* The first of a queue that can be served, or none. */
inline serve(waits, ch, who)
{
    won = false;
    if
    :: waits ->
        waits = false;
        other = who;
#ifndef BUG_NO_CLAIM
        claim(who, taken(ch))
#else
        won = true;
        result[who] = taken(ch)
#endif
    :: else
    fi
}

/* With the lock. Sets done if it could be done, and wakes with woken. */
inline send_now(ch)
{
    done = false;
    woken = false;
    refused = closed[ch];
    if
    :: refused -> done = true
    :: else ->
        serve(receiver_waits[ch], ch, SELECTOR);
        if
        :: won ->
            assert(!gone[other]);
            woken = true;
            done = true
        :: !won && CAPACITY > 0 && !buffered[ch] -> buffered[ch] = true; done = true
        :: else
        fi
    fi
}

inline recv_now(ch)
{
    done = false;
    woken = false;
    refused = false;
    if
    :: buffered[ch] ->
        buffered[ch] = false;
        serve(sender_waits[ch], ch, ch);
        if :: won -> buffered[ch] = true; woken = true :: else fi;
        done = true
    :: else ->
        serve(sender_waits[ch], ch, ch);
        if
        :: won ->
            assert(!gone[other]);
            woken = true;
            done = true
        :: !won && closed[ch] -> refused = true; done = true
        :: else
        fi
    fi
}

/* Until its result is there: a park returns for its token only. */
inline wait_for(me)
{
    do
    :: result[me] != PENDING -> break
    :: result[me] == PENDING -> atomic { token[me] -> token[me] = false }
    od
}

/* The context's hook: claims the wait at once if the context is done already. */
inline hook(me)
{
    atomic {
        early = cancelled[me];
        if :: !early -> hooked[me] = true :: else fi
    };
    if
    :: early -> claim(me, CANCEL)
    :: else -> wait_for(me)
    fi;
    hooked[me] = false
}

inline cancel(who)
{
    atomic {
        cancelled[who] = true;
        if
        :: hooked[who] -> hooked[who] = false; claim(who, CANCEL); token[who] = true
        :: else
        fi
    }
}

proctype sender(byte me)
{
    bool won, done, woken, refused, early;
    byte other;

    take(me);
    send_now(me);
#ifndef BUG_QUEUE_UNLOCKED
    if :: !done -> sender_waits[me] = true :: else fi;
    give(me);
#else
    give(me);
    if :: !done -> take(me); sender_waits[me] = true; give(me) :: else fi;
#endif
    if :: woken -> token[other] = true :: else fi;
    if
    :: done -> outcome[me] = (refused -> REFUSED : SENT)
    :: else ->
        hook(me);
#ifndef BUG_NO_RELOCK
        take(me);
        sender_waits[me] = false;
        give(me);
#endif
        if
        :: result[me] == CANCEL -> outcome[me] = WITHDRAWN
        :: else -> outcome[me] = (served_by_close[me] -> REFUSED : SENT)
        fi
    fi;
    gone[me] = true
}

inline take_all() { take(0); take(1) }
inline give_all() { give(1); give(0) }

inline try_one(ch)
{
    if
    :: !done -> recv_now(ch); if :: done -> chosen = ch :: else fi
    :: else
    fi
}

active proctype selector()
{
    bool won, done, woken, refused, early, over;
    byte other, chosen;

    do
    :: over || received[0] + received[1] == 2 -> break
    :: else ->
        atomic { gone[SELECTOR] = false; result[SELECTOR] = PENDING };
        served_by_close[SELECTOR] = false;
        done = false;
        take_all();
        if /* from a random clause on */
        :: skip -> try_one(0); try_one(1)
        :: skip -> try_one(1); try_one(0)
        fi;
        if
        :: !done -> receiver_waits[0] = true; receiver_waits[1] = true
        :: else
        fi;
        give_all();
        if :: woken -> token[other] = true :: else fi;
        if
        :: done && refused -> over = true
        :: done && !refused -> received[chosen]++
        :: else ->
            hook(SELECTOR);
            take_all();
            receiver_waits[0] = false;
#ifndef BUG_STAY_QUEUED
            receiver_waits[1] = false;
#endif
            give_all();
            if
            :: result[SELECTOR] == CANCEL || served_by_close[SELECTOR] -> over = true
            :: else -> chosen = (result[SELECTOR] == TAKEN0 -> 0 : 1); received[chosen]++
            fi
        fi;
        gone[SELECTOR] = true;
        assert(!receiver_waits[0] && !receiver_waits[1])
    od;
    selector_done = true
}

active proctype closer()
{
    bool won;
    byte other;

    if
    :: skip
    :: take(0);
        closed[0] = true;
#ifndef BUG_CLOSE_RECEIVERS_ONLY
        serve(sender_waits[0], 0, 0);
        if :: won -> served_by_close[other] = true; token[other] = true :: else fi;
#endif
        serve(receiver_waits[0], 0, SELECTOR);
        if :: won -> served_by_close[other] = true; token[other] = true :: else fi;
        assert(!sender_waits[0] && !receiver_waits[0]);
        give(0)
    fi
}

/* The selector, at any moment or never; then who is left without a counterpart. */
active proctype canceller()
{
    bool won;

    if
    :: cancel(SELECTOR)
    :: skip
    fi;
    selector_done;
    /* A close has woken its sender. */
    if :: closed[0] :: else -> cancel(0) fi;
    cancel(1);
    outcome[0] != PENDING && outcome[1] != PENDING;
    assert(received[0] + buffered[0] == (outcome[0] == SENT -> 1 : 0));
    assert(received[1] + buffered[1] == (outcome[1] == SENT -> 1 : 0));
    assert(!sender_waits[0] && !sender_waits[1])
}

init
{
    atomic { run sender(0); run sender(1) }
}
