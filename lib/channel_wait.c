/* SPDX-License-Identifier: MIT */
/* Those who wait at a channel; channel.h has the protocol. */
#include "lib/channel.h"

static struct channel_side *side_of(struct rv_channel *channel, bool sender)
{
    return sender ? &channel->senders : &channel->receivers;
}

/* Receivers are told of by pushes, senders by pops. */
static void update_flag(struct rv_channel *channel, bool sender)
{
    struct channel_side *side = side_of(channel, sender);
    _Atomic uint64_t *word = sender ? &channel->ring.head : &channel->ring.tail;
    bool tell = !list_is_empty(&side->waiters) && side->waking == 0;

    if (channel->capacity == 0 || tell == side->told_of)
        return;
    if (tell)
        atomic_fetch_or(word, RING_TELL);
    else
        atomic_fetch_and(word, ~RING_TELL);
    side->told_of = tell;
}

void channel_enqueue(struct rv_channel *channel, struct channel_waiter *waiter)
{
    struct channel_side *side = side_of(channel, waiter->sender);

    if (waiter->retry)
        list_prepend(&side->waiters, &waiter->list);
    else
        list_append(&side->waiters, &waiter->list);
    waiter->linked = true;
    waiter->closed = waiter->retry = waiter->counted = false;
    atomic_fetch_add(&side->count, 1);
    update_flag(channel, waiter->sender);
}

static void unlink_waiter(struct rv_channel *channel, struct channel_waiter *waiter)
{
    if (!waiter->linked)
        return;
    list_remove(&waiter->list);
    waiter->linked = false;
    atomic_fetch_sub(&side_of(channel, waiter->sender)->count, 1);
}

bool channel_is_ready(const struct rv_channel *channel, bool sender)
{
    if (atomic_load(&channel->closed))
        return true;
    if (channel->capacity == 0)
        return false;
    return sender ? ring_length(&channel->ring) < channel->capacity
                  : ring_length(&channel->ring) > 0;
}

struct channel_waiter *channel_claim(struct rv_channel *channel, bool sender,
                                     struct parker **ret_wake)
{
    struct channel_side *side = side_of(channel, sender);

    while (!list_is_empty(&side->waiters)) {
        struct channel_waiter *waiter = list_entry(side->waiters.next, struct channel_waiter, list);

        unlink_waiter(channel, waiter);
        if (!wait_claim(waiter->wait, waiter->token))
            continue;
        *ret_wake = waiter->wait->parker;
        waiter->counted = channel->capacity > 0;
        side->waking += waiter->counted;
        update_flag(channel, sender);
        return waiter;
    }
    update_flag(channel, sender);
    return NULL;
}

/* Moves the waiter's element; where somebody else was quicker, it is to try again. */
static void serve_waiter(struct rv_channel *channel, struct channel_waiter *waiter)
{
    enum attempt r = waiter->sender ? channel_push(channel, waiter->element)
                                    : channel_pop(channel, waiter->element);

    waiter->retry = r != ATTEMPT_DONE;
}

static bool may_put_off(const struct rv_channel *channel)
{
    const struct channel_waiter *first;

    if (list_is_empty(&channel->senders.waiters) ||
        ring_length(&channel->ring) <= channel->capacity / 2)
        return false;
    first = list_entry(channel->senders.waiters.next, const struct channel_waiter, list);
    return first->patience != 0 && first->patience != RV_FOREVER && rv_now() < first->patience;
}

struct parker *channel_serve(struct rv_channel *channel, bool sender)
{
    struct parker *wake = NULL;
    struct channel_waiter *waiter;

    if (side_of(channel, sender)->waking > 0 || atomic_load(&channel->closed) ||
        !channel_is_ready(channel, sender) || (sender && may_put_off(channel)))
        return NULL;
    waiter = channel_claim(channel, sender, &wake);
    if (waiter)
        serve_waiter(channel, waiter);
    return wake;
}

struct parker *channel_dequeue(struct rv_channel *channel, struct channel_waiter *waiter)
{
    unlink_waiter(channel, waiter);
    if (waiter->counted)
        side_of(channel, waiter->sender)->waking--;
    waiter->counted = false;
    update_flag(channel, waiter->sender);
    return channel->capacity > 0 ? channel_serve(channel, waiter->sender) : NULL;
}

void channel_release_all(struct rv_channel *channel)
{
    struct channel_waiter *waiter;
    struct parker *wake;

    while ((waiter = channel_claim(channel, true, &wake))) {
        waiter->closed = true;
        parker_unpark(wake);
    }
    /* What is in the ring is for those who wait, though a wake-up may be in flight. */
    while ((waiter = channel_claim(channel, false, &wake))) {
        waiter->closed =
            channel->capacity == 0 || channel_pop(channel, waiter->element) != ATTEMPT_DONE;
        parker_unpark(wake);
    }
}
