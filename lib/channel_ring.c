/* SPDX-License-Identifier: MIT */
/* Elements through a channel's ring, and past those who wait; channel.h has the protocol. */
#include <errno.h>

#include "lib/channel.h"

/* Of channels in which enough can gather. */
#define FLOW_CAPACITY 64

/* Most elements are a pointer or a number: then the copy is no call. */
static int push(struct rv_channel *channel, const void *element, struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t)
               ? ring_push(&channel->ring, element, sizeof(uint64_t), ret_signs)
               : ring_push(&channel->ring, element, size, ret_signs);
}

static int pop(struct rv_channel *channel, void *element, struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t) ? ring_pop(&channel->ring, element, sizeof(uint64_t), ret_signs)
                                    : ring_pop(&channel->ring, element, size, ret_signs);
}

int channel_push(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    int r = push(channel, element, &signs);

    if (r == 0 && signs.tell)
        parker_unpark(channel_serve(channel, false));
    return r;
}

int channel_pop(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    int r = pop(channel, element, &signs);

    if (r == 0 && signs.tell)
        parker_unpark(channel_serve(channel, true));
    return r;
}

static void serve(struct rv_channel *channel, bool sender)
{
    struct parker *wake;

    pthread_mutex_lock(&channel->lock);
    wake = channel_serve(channel, sender);
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
}

/* Before an operation of a thread whose last one met the other side. */
static void gather(struct rv_channel *channel, bool send)
{
    struct flow *flow = parker_flow();
    size_t length;

    if (!flow->tight || channel->capacity < FLOW_CAPACITY)
        return;
    flow_gather(flow, true);
    length = ring_length(&channel->ring);
    flow_learn(flow, send ? channel->capacity - length : length);
}

int channel_send_through(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    int r;

    gather(channel, true);
    r = push(channel, element, &signs);
    parker_flow()->tight = signs.tight;
    if (r == 0 && signs.tell)
        serve(channel, false);
    return r;
}

int channel_recv_through(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    int r;

    gather(channel, false);
    r = pop(channel, element, &signs);
    parker_flow()->tight = signs.tight;
    /* What was sent before the close is still to be had; after it nothing comes. */
    if (r == -EAGAIN && atomic_load(&channel->closed)) {
        r = pop(channel, element, &signs);
        return r == -EAGAIN ? -EPIPE : r;
    }
    if (r == 0 && signs.tell)
        serve(channel, true);
    return r;
}

int channel_take_from_sender(struct rv_channel *channel, void *element)
{
    struct channel_waiter *sender;
    struct parker *wake = NULL;
    int r;

    pthread_mutex_lock(&channel->lock);
    /* Somebody may just have let one in. */
    r = channel_pop(channel, element);
    sender = r < 0 ? channel_claim(channel, true, &wake) : NULL;
    if (sender && element)
        ring_copy(&channel->ring, element, sender->element);
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return sender ? 0 : r;
}

int channel_make_room(struct rv_channel *channel)
{
    struct channel_waiter *receiver;
    struct parker *wake = NULL;

    pthread_mutex_lock(&channel->lock);
    receiver = channel_claim(channel, false, &wake);
    if (receiver)
        receiver->retry = channel_pop(channel, receiver->element) < 0;
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return receiver ? 0 : -EAGAIN;
}
