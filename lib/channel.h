/* SPDX-License-Identifier: MIT */
/*
 * Channels from within, for channel.c and select.c.
 *
 * Properties: elements come out in the order in which they went in; each is received once. A
 * blocked operation is either done by its counterpart or withdrawn, never both.
 *
 * Operation: a ring of elements, and two queues of waiters. An operation that can be done is done
 * under the lock, directly with the counterpart that has waited longest: its wait is claimed first,
 * and one that cannot be claimed any more (cancelled, or served through another clause of its
 * select) is dropped. Otherwise the operation queues a waiter and parks.
 *
 * Safety: the lock protects all fields and the waiters' `linked`, `closed` and the memory behind
 * `element`. A waiter takes the lock once more after it has woken, even when it was served, so its
 * stack stays until its counterpart has let go. No wake-up is lost, as checking and queueing happen
 * under one lock, and unparking before parking is remembered.
 */
#ifndef REEVE_LIB_CHANNEL_H
#define REEVE_LIB_CHANNEL_H

#include <reeve/channel.h>

#include "lib/internal.h"

struct rv_channel {
    _Atomic unsigned references;
    size_t element_size;
    size_t capacity;
    pthread_mutex_t lock;
    bool closed;
    size_t length;
    size_t head; /* the oldest element */
    struct list senders;
    struct list receivers;
    unsigned char buffer[];
};

struct channel_waiter {
    struct list list;
    struct wait *wait;
    void *element;
    int token; /* the wait's result when this waiter is served */
    bool linked;
    bool closed; /* served by a close */
};

/* All with the lock. The first two do the operation if it can be done now: 0, -EPIPE or -EAGAIN. A
 * thread to be woken is left in *ret_wake, to be unparked without the lock. */
int channel_send_now(struct rv_channel *channel, const void *element, struct parker **ret_wake);
int channel_recv_now(struct rv_channel *channel, void *element, struct parker **ret_wake);
void channel_enqueue(struct rv_channel *channel, struct channel_waiter *waiter, bool sender);
void channel_dequeue(struct channel_waiter *waiter);

#endif
