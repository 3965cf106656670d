/* SPDX-License-Identifier: MIT */
/* Elements through a channel's ring, and past those who wait; channel.h has the protocol. */
#include "lib/channel.h"

enum attempt channel_push(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    enum attempt r = channel_put(channel, element, &signs);

    if (r == ATTEMPT_DONE && signs.tell)
        parker_unpark(channel_serve(channel, false));
    return r;
}

enum attempt channel_pop(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    enum attempt r = channel_take(channel, element, &signs);

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
