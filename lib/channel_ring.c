/* SPDX-License-Identifier: MIT */
/* Elements through a channel's ring, and past those who wait; channel.h has the protocol. */
#include "lib/channel.h"

/* Of channels in which enough can gather. */
#define FLOW_CAPACITY 64

/* Most elements are a pointer or a number: then the copy is no call. */
static enum attempt push(struct rv_channel *channel, const void *element,
                         struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t)
               ? ring_push(&channel->ring, element, sizeof(uint64_t), ret_signs)
               : ring_push(&channel->ring, element, size, ret_signs);
}

static enum attempt pop(struct rv_channel *channel, void *element, struct ring_signs *ret_signs)
{
    size_t size = channel->element_size;

    return size == sizeof(uint64_t) ? ring_pop(&channel->ring, element, sizeof(uint64_t), ret_signs)
                                    : ring_pop(&channel->ring, element, size, ret_signs);
}

enum attempt channel_push(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    enum attempt r = push(channel, element, &signs);

    if (r == ATTEMPT_DONE && signs.tell)
        parker_unpark(channel_serve(channel, false));
    return r;
}

enum attempt channel_pop(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    enum attempt r = pop(channel, element, &signs);

    if (r == ATTEMPT_DONE && signs.tell)
        parker_unpark(channel_serve(channel, true));
    return r;
}

void channel_tell(struct rv_channel *channel, bool sender)
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
    flow_gather(flow);
    length = ring_length(&channel->ring);
    flow_learn(flow, send ? channel->capacity - length : length);
}

enum attempt channel_send_through(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    enum attempt r;

    gather(channel, true);
    r = push(channel, element, &signs);
    parker_flow()->tight = signs.tight;
    if (r == ATTEMPT_DONE && signs.tell)
        channel_tell(channel, false);
    return r;
}

enum attempt channel_recv_through(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    enum attempt r;

    gather(channel, false);
    r = pop(channel, element, &signs);
    parker_flow()->tight = signs.tight;
    /* What was sent before the close is still to be had; after it nothing comes. */
    if (r == ATTEMPT_BLOCKED && atomic_load(&channel->closed)) {
        r = pop(channel, element, &signs);
        return r == ATTEMPT_BLOCKED ? ATTEMPT_CLOSED : r;
    }
    if (r == ATTEMPT_DONE && signs.tell)
        channel_tell(channel, true);
    return r;
}

enum attempt channel_take_from_sender(struct rv_channel *channel, void *element)
{
    struct channel_waiter *sender;
    struct parker *wake = NULL;
    enum attempt r;

    pthread_mutex_lock(&channel->lock);
    /* Somebody may just have let one in. */
    r = channel_pop(channel, element);
    sender = r != ATTEMPT_DONE ? channel_claim(channel, true, &wake) : NULL;
    if (sender && element)
        ring_copy(&channel->ring, element, sender->element);
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return sender ? ATTEMPT_DONE : r;
}

enum attempt channel_make_room(struct rv_channel *channel)
{
    struct channel_waiter *receiver;
    struct parker *wake = NULL;

    pthread_mutex_lock(&channel->lock);
    receiver = channel_claim(channel, false, &wake);
    if (receiver)
        receiver->retry = channel_pop(channel, receiver->element) != ATTEMPT_DONE;
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return receiver ? ATTEMPT_DONE : ATTEMPT_BLOCKED;
}
