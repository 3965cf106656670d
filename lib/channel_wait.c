/* SPDX-License-Identifier: MIT */
/* Those who wait at a channel; channel.h has the protocol. */
#include "lib/channel.h"

/* Of channels in which it may pay to sleep on. */
#define SLEEP_ON_CAPACITY 16

static struct channel_side *side_of(struct rv_channel *channel, bool sender)
{
    return sender ? &channel->senders : &channel->receivers;
}

static const struct channel_waiter *first_of(const struct channel_side *side)
{
    return list_entry(side->waiters.next, const struct channel_waiter, list);
}

/* Receivers are told of by pushes, senders by pops: those that leave enough room for the first. */
static void update_flag(struct rv_channel *channel, bool sender)
{
    struct channel_side *side = side_of(channel, sender);
    bool tell = !list_is_empty(&side->waiters) && side->waking == 0;

    if (channel->capacity == 0)
        return;
    if (tell && sender)
        ring_tell_of_pops(&channel->ring, first_of(side)->from);
    else if (tell)
        ring_tell_of_pushes(&channel->ring, first_of(side)->from);
    else if (!tell && side->told_of)
        atomic_fetch_and(sender ? &channel->ring.head : &channel->ring.tail, ~RING_TELL);
    side->told_of = tell;
}

/* The progress of the other side. */
static uint64_t count_for(const struct rv_channel *channel, bool sender)
{
    return sender ? ring_pops(&channel->ring) : ring_pushes(&channel->ring);
}

/* Whether the first in line is to wait for more; what changes that is told. */
static bool is_put_off(struct rv_channel *channel, bool sender)
{
    const struct channel_side *side = side_of(channel, sender);

    return !list_is_empty(&side->waiters) &&
           (int64_t)(count_for(channel, sender) - first_of(side)->from) < 0;
}

/* A sender waits for half of the ring, or where it pays for all of it; a receiver likewise where it
 * pays, and else for the first element. */
static void choose_from(struct rv_channel *channel, struct channel_waiter *waiter)
{
    size_t capacity = channel->capacity;

    waiter->from = 0;
    waiter->sleeps_on = false;
    if (waiter->waited || capacity < 2)
        return;
    waiter->begun = count_for(channel, waiter->sender);
    waiter->sleeps_on =
        capacity >= SLEEP_ON_CAPACITY && place_sleep_on(&side_of(channel, waiter->sender)->place);
    if (waiter->sleeps_on)
        waiter->from = waiter->begun + capacity;
    else if (waiter->sender)
        waiter->from = waiter->begun + capacity / 2;
}

void channel_learn(struct rv_channel *channel, const struct channel_waiter *waiter)
{
    struct place *place = &side_of(channel, waiter->sender)->place;

    if (wait_result(waiter->wait) == waiter->token)
        place_woken(place);
    if (waiter->sleeps_on)
        place_learn(place, (size_t)(count_for(channel, waiter->sender) - waiter->begun));
}

void channel_enqueue(struct rv_channel *channel, struct channel_waiter *waiter)
{
    struct channel_side *side = side_of(channel, waiter->sender);

    if (waiter->retry)
        list_prepend(&side->waiters, &waiter->list);
    else
        list_append(&side->waiters, &waiter->list);
    waiter->linked = true;
    choose_from(channel, waiter);
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

struct parker *channel_serve(struct rv_channel *channel, bool sender)
{
    struct parker *wake = NULL;
    struct channel_waiter *waiter;

    if (side_of(channel, sender)->waking > 0 || atomic_load(&channel->closed) ||
        !channel_is_ready(channel, sender) || is_put_off(channel, sender))
        return NULL;
    waiter = channel_claim(channel, sender, &wake);
    if (waiter) {
        place_wake(&side_of(channel, sender)->place);
        serve_waiter(channel, waiter);
    }
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
    /* Elements in the ring are for those who wait, though a wake-up may be in flight. */
    while ((waiter = channel_claim(channel, false, &wake))) {
        waiter->closed =
            channel->capacity == 0 || channel_pop(channel, waiter->element) != ATTEMPT_DONE;
        parker_unpark(wake);
    }
}
