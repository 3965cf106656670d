/* SPDX-License-Identifier: MIT */
/*
 * Channels from within, for channel.c (operations), channel_many.c, channel_ring.c, channel_wait.c
 * (those who wait) and select.c.
 *
 * Properties: elements come out in the order in which they went in; each is received once. A
 * blocked operation is either done by its counterpart or withdrawn, never both. Nobody waits while
 * there is an element for him, or room, but for the time that waking takes.
 *
 * Operation: with a capacity, a ring of elements (ring.h), through which operations go without the
 * lock, and two queues of waiters. RING_STOP on the tail: the channel is closed. RING_TELL on the
 * tail: a receiver waits; on the head: a sender does; who is told takes the lock and serves the
 * first in line: claims his wait, moves his element, and unparks him. To wake a thread for every
 * element costs more than most elements are worth, so on each side one wake-up is in flight at a
 * time: meanwhile nobody is told, elements and room are for whoever comes, and the woken one, when
 * he has landed, serves the next in line if there is still something for him. A thread that finds
 * nothing in the ring takes from a waiting counterpart all the same. Should others have been
 * quicker than a waiter who is already claimed, he is told to try again, and queues in front then.
 * Where that has paid of late, an operation looks at the ring for a while before it waits. A sender
 * that has just begun to wait is left alone until half of the ring has been taken, as that is soon
 * where elements flow: receives before that are not even told (tell_pops). After CHANNEL_PUT_OFF it
 * looks for itself, and is woken for every place from then on. Where both sides share a processor,
 * whoever is woken takes it from the one that wakes; so a sender then waits for the whole ring to
 * be empty, and a receiver, for CHANNEL_SLEEP_ON at most, for it to be full (struct place).
 *
 * Without a capacity all is done with the lock, directly with the counterpart that has waited
 * longest.
 *
 * Safety: the lock protects the queues, the counts, the waiters' fields and the memory behind
 * `element`. A thread that is about to wait sets the flag first and looks at the ring then; an
 * operation that came before the flag is seen by that look, and one that comes after is told: no
 * wake-up is lost. A waiter takes the lock once more after it has woken, even when it was served,
 * so its stack stays until its counterpart has let go. One that cannot be claimed any more
 * (cancelled, or served through another clause of its select) is dropped from its queue.
 */
#ifndef REEVE_LIB_CHANNEL_H
#define REEVE_LIB_CHANNEL_H

#include <reeve/channel.h>

#include "lib/internal.h"
#include "lib/ring.h"

/* Those who wait on one side of a channel. */
struct channel_side {
    struct list waiters;
    _Atomic unsigned count; /* of waiters; read without the lock */
    unsigned waking;        /* served, and not back with the lock yet; only with a capacity */
    bool told_of;           /* RING_TELL is set for them */
    struct place place;
};

struct rv_channel {
    _Atomic unsigned references;
    size_t element_size;
    size_t capacity;
    struct ring ring; /* with a capacity */
    pthread_mutex_t lock;
    _Atomic bool closed; /* changed with the lock */
    struct channel_side senders;
    struct channel_side receivers;
};

/* For so long a sender waits for half of the ring or more, and a receiver sleeps on. */
#define CHANNEL_PUT_OFF  (200 * RV_MICROSECOND)
#define CHANNEL_SLEEP_ON (50 * RV_MICROSECOND)

struct channel_waiter {
    struct list list;
    struct wait *wait;
    void *element;
    uint64_t from;  /* it is served when the other side has come to this ticket */
    uint64_t begun; /* where that was when it began to wait */
    bool sleeps_on; /* for all of the ring */
    bool waited;    /* it is not put off any more */
    int token;      /* the wait's result when this waiter is served */
    bool sender;
    bool linked;
    bool counted; /* among those that are waking */
    bool closed;  /* served by a close */
    bool retry;   /* somebody else was quicker */
};

/* Through the ring, and nothing else. */

/* Most elements are a pointer or a number: then the copy is no call. */
RING_INLINE enum attempt channel_put(struct rv_channel *channel, const void *element,
                                     struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t)
               ? ring_push(&channel->ring, element, sizeof(uint64_t), ret_signs)
               : ring_push(&channel->ring, element, size, ret_signs);
}

RING_INLINE enum attempt channel_take(struct rv_channel *channel, void *element,
                                      struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t) ? ring_pop(&channel->ring, element, sizeof(uint64_t), ret_signs)
                                    : ring_pop(&channel->ring, element, size, ret_signs);
}

/* channel_ring.c; of channels with a capacity. */

/* An element into the ring or out of it: done, blocked or closed. With the lock; serves whoever is
 * to be told of it. */
enum attempt channel_push(struct rv_channel *channel, const void *element);
enum attempt channel_pop(struct rv_channel *channel, void *element);
/* After an operation without the lock that was to tell of itself: serves that side. */
void channel_tell(struct rv_channel *channel, bool sender);
/* The ring was empty: takes the element of a sender who waits, though another is being woken. */
enum attempt channel_take_from_sender(struct rv_channel *channel, void *element);
/* The ring was full: gives the oldest element to a receiver who waits, though another is being
 * woken. */
enum attempt channel_make_room(struct rv_channel *channel);

/* channel.c */

/* As rv_channel_send() and rv_channel_recv(): done, closed or cancelled. */
enum attempt channel_send(struct rv_context *ctx, struct rv_channel *channel, const void *element);
enum attempt channel_recv(struct rv_context *ctx, struct rv_channel *channel, void *element);

/* The result for the caller of a public function; ctx is needed for a cancel only. */
int channel_code(enum attempt r, const struct rv_context *ctx);

/* The outcome of a send or receive now: done, closed or blocked. Without the lock. */
enum attempt channel_send_now(struct rv_channel *channel, const void *element);
enum attempt channel_recv_now(struct rv_channel *channel, void *element);
/* The same for a channel without a capacity. With the lock; whom to unpark after is in *ret_wake.
 */
enum attempt channel_meet(struct rv_channel *channel, void *element, bool send,
                          struct parker **ret_wake);

/* channel_wait.c; all with the lock. */

/* Queues it, in front when it has waited before. */
void channel_enqueue(struct rv_channel *channel, struct channel_waiter *waiter);
/* Whether an operation of this side need not wait; after channel_enqueue(). */
bool channel_is_ready(const struct rv_channel *channel, bool sender);
/* Instead of waiting, or after. Serves the next in line if it is time, and returns whom to unpark,
 * or NULL. */
struct parker *channel_dequeue(struct rv_channel *channel, struct channel_waiter *waiter);
/* The first in line who can still be claimed, counted as waking. Leaves his parker in *ret_wake. */
struct channel_waiter *channel_claim(struct rv_channel *channel, bool sender,
                                     struct parker **ret_wake);
/* Serves the first in line of that side if it is time. */
struct parker *channel_serve(struct rv_channel *channel, bool sender);
/* After it was woken, with the lock. */
void channel_learn(struct rv_channel *channel, const struct channel_waiter *waiter);
/* The channel has just been closed. */
void channel_release_all(struct rv_channel *channel);

#endif
