/* SPDX-License-Identifier: MIT */
#include "lib/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

/* Pauses between two looks at a ring. */
#define LOOK_PACE 8

/* Of channels in which enough can gather. */
#define FLOW_CAPACITY 64

int rv_channel_create(size_t element_size, size_t capacity, struct rv_channel **ret_channel)
{
    struct rv_channel *channel;
    int r = 0;

    if (element_size == 0)
        return error_bare(-EINVAL);
    /* The ring's words have cache lines of their own. */
    channel = aligned_alloc(_Alignof(struct rv_channel), sizeof(*channel));
    if (!channel)
        return error_bare(-ENOMEM);
    memset(channel, 0, sizeof(*channel));
    if (capacity > 0)
        r = ring_init(&channel->ring, element_size, capacity);
    if (r < 0) {
        free(channel);
        return error_bare(r);
    }
    atomic_init(&channel->references, 1);
    channel->element_size = element_size;
    channel->capacity = capacity;
    short_mutex_init(&channel->lock);
    list_init(&channel->senders.waiters);
    list_init(&channel->receivers.waiters);
    *ret_channel = channel;
    return 0;
}

struct rv_channel *rv_channel_ref(struct rv_channel *channel)
{
    atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
    return channel;
}

struct rv_channel *rv_channel_unref(struct rv_channel *channel)
{
    if (channel && atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&channel->lock);
        if (channel->capacity > 0)
            ring_finish(&channel->ring);
        free(channel);
    }
    return NULL;
}

/* Face to face ------------------------------------------------------------ */

static enum attempt meet(struct rv_channel *channel, void *element, bool send)
{
    struct parker *wake = NULL;
    enum attempt r;

    pthread_mutex_lock(&channel->lock);
    r = channel_meet(channel, element, send, &wake);
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return r;
}

enum attempt channel_meet(struct rv_channel *channel, void *element, bool send,
                          struct parker **ret_wake)
{
    struct channel_waiter *other;
    void *target;

    if (atomic_load(&channel->closed))
        return ATTEMPT_CLOSED;
    other = channel_claim(channel, !send, ret_wake);
    if (!other)
        return ATTEMPT_BLOCKED;
    target = send ? other->element : element;
    if (target)
        memcpy(target, send ? element : other->element, channel->element_size);
    return ATTEMPT_DONE;
}

/* Operations -------------------------------------------------------------- */

static size_t available(const struct rv_channel *channel, bool send)
{
    size_t length = ring_length(&channel->ring);

    return send ? channel->capacity - length : length;
}

/* Before an operation of a thread whose last one met the other side. */
static void gather(const struct rv_channel *channel, bool send)
{
    if (channel->capacity < FLOW_CAPACITY || available(channel, send) >= GATHERED_ENOUGH)
        return;
    flow_gather(&thread_flows[send]);
    flow_learn(&thread_flows[send], available(channel, send));
}

RING_INLINE enum attempt send_through(struct rv_channel *channel, const void *element)
{
    struct ring_signs signs;
    enum attempt r;

    if (thread_flows[true].met == channel)
        gather(channel, true);
    r = channel_put(channel, element, &signs);
    thread_flows[true].met = signs.tight ? channel : NULL;
    if (r == ATTEMPT_DONE && signs.tell)
        channel_tell(channel, false);
    return r;
}

RING_INLINE enum attempt recv_through(struct rv_channel *channel, void *element)
{
    struct ring_signs signs;
    enum attempt r;

    if (thread_flows[false].met == channel)
        gather(channel, false);
    r = channel_take(channel, element, &signs);
    thread_flows[false].met = signs.tight ? channel : NULL;
    if (r == ATTEMPT_DONE && !signs.tell)
        return r;
    /* Elements that were sent before the close are still to be had; after them nothing comes. */
    if (r == ATTEMPT_BLOCKED && atomic_load(&channel->closed)) {
        r = channel_take(channel, element, &signs);
        return r == ATTEMPT_BLOCKED ? ATTEMPT_CLOSED : r;
    }
    if (r == ATTEMPT_DONE && signs.tell)
        channel_tell(channel, true);
    return r;
}

enum attempt channel_send_now(struct rv_channel *channel, const void *element)
{
    enum attempt r;

    /* The element is only read. */
    if (channel->capacity == 0)
        return meet(channel, (void *)(uintptr_t)element, true);
    r = send_through(channel, element);
    while (r == ATTEMPT_BLOCKED && atomic_load(&channel->receivers.count) > 0 &&
           channel_make_room(channel) == ATTEMPT_DONE)
        r = send_through(channel, element);
    return r;
}

enum attempt channel_recv_now(struct rv_channel *channel, void *element)
{
    enum attempt r;

    if (channel->capacity == 0)
        return meet(channel, element, false);
    r = recv_through(channel, element);
    if (r == ATTEMPT_BLOCKED && atomic_load(&channel->senders.count) > 0)
        r = channel_take_from_sender(channel, element);
    return r;
}

/* A sender that is to wait waits for half of the ring, see channel.h. */
static bool may_send(const void *arg)
{
    const struct rv_channel *channel = arg;

    return atomic_load(&channel->closed) || ring_length(&channel->ring) <= channel->capacity / 2;
}

static bool may_recv(const void *arg)
{
    return channel_is_ready(arg, false);
}

static enum attempt try_for_a_while(struct rv_channel *channel, struct channel_waiter *waiter)
{
    enum attempt r;

    do
        r = waiter->sender ? channel_send_now(channel, waiter->element)
                           : channel_recv_now(channel, waiter->element);
    while (r == ATTEMPT_BLOCKED && channel->capacity > 0 &&
           parker_look(LOOK_PACE, waiter->sender ? may_send : may_recv, channel));
    return r;
}

/* Queues the waiter, unless its operation can be done now. Blocked: it is to wait. */
static enum attempt queue(struct rv_channel *channel, struct channel_waiter *waiter)
{
    struct parker *wake = NULL;
    enum attempt r = ATTEMPT_BLOCKED;

    pthread_mutex_lock(&channel->lock);
    if (channel->capacity == 0)
        r = channel_meet(channel, waiter->element, waiter->sender, &wake);
    if (r == ATTEMPT_BLOCKED) {
        wait_init(waiter->wait);
        channel_enqueue(channel, waiter);
        if (channel_is_ready(channel, waiter->sender)) {
            wake = channel_dequeue(channel, waiter);
            r = ATTEMPT_AGAIN;
        }
    }
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    return r;
}

static rv_time deadline_of(const struct channel_waiter *waiter)
{
    if (waiter->from == 0)
        return RV_NEVER;
    return rv_now() + (waiter->sender ? CHANNEL_PUT_OFF : CHANNEL_SLEEP_ON);
}

static enum attempt wait_served(struct rv_context *ctx, struct rv_channel *channel,
                                struct channel_waiter *waiter)
{
    struct context_hook hook = {.wait = waiter->wait};
    struct parker *wake;

    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(waiter->wait, WAIT_CANCEL);
    else
        wait_for(waiter->wait, deadline_of(waiter));
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&channel->lock);
    channel_learn(channel, waiter);
    wake = channel_dequeue(channel, waiter);
    pthread_mutex_unlock(&channel->lock);
    parker_unpark(wake);
    if (wait_result(waiter->wait) == WAIT_CANCEL)
        return ATTEMPT_CANCELLED;
    if (wait_result(waiter->wait) == WAIT_TIMEOUT) {
        waiter->waited = true;
        waiter->retry = true; /* its place is in front still */
        return ATTEMPT_AGAIN;
    }
    if (waiter->closed)
        return ATTEMPT_CLOSED;
    return waiter->retry ? ATTEMPT_AGAIN : ATTEMPT_DONE;
}

/* The common part of send and receive: try, else wait until served, closed or cancelled. */
static enum attempt operate(struct rv_context *ctx, struct rv_channel *channel, void *element,
                            bool send)
{
    struct wait wait;
    struct channel_waiter waiter = {.wait = &wait, .element = element, .token = 1, .sender = send};
    enum attempt r;

    do {
        if (rv_context_err(ctx) != 0)
            return ATTEMPT_CANCELLED;
        r = try_for_a_while(channel, &waiter);
        if (r == ATTEMPT_BLOCKED)
            r = queue(channel, &waiter);
        if (r == ATTEMPT_BLOCKED)
            r = wait_served(ctx, channel, &waiter);
    } while (r == ATTEMPT_AGAIN);
    return r;
}

RING_INLINE enum attempt do_send(struct rv_context *ctx, struct rv_channel *channel,
                                 const void *element)
{
    if (rv_context_err(ctx) != 0)
        return ATTEMPT_CANCELLED;
    if (channel->capacity > 0 && send_through(channel, element) == ATTEMPT_DONE)
        return ATTEMPT_DONE;
    return operate(ctx, channel, (void *)(uintptr_t)element, true);
}

RING_INLINE enum attempt do_recv(struct rv_context *ctx, struct rv_channel *channel, void *element)
{
    if (rv_context_err(ctx) != 0)
        return ATTEMPT_CANCELLED;
    if (channel->capacity > 0 && recv_through(channel, element) == ATTEMPT_DONE)
        return ATTEMPT_DONE;
    return operate(ctx, channel, element, false);
}

enum attempt channel_send(struct rv_context *ctx, struct rv_channel *channel, const void *element)
{
    return do_send(ctx, channel, element);
}

enum attempt channel_recv(struct rv_context *ctx, struct rv_channel *channel, void *element)
{
    return do_recv(ctx, channel, element);
}

int channel_code(enum attempt r, const struct rv_context *ctx)
{
    switch (r) {
    case ATTEMPT_DONE:
        return 0;
    case ATTEMPT_CLOSED:
        return -EPIPE;
    case ATTEMPT_CANCELLED:
        return rv_context_err(ctx);
    default:
        return -EAGAIN;
    }
}

int rv_channel_send(struct rv_context *ctx, struct rv_channel *channel, const void *element)
{
    enum attempt r = do_send(ctx, channel, element);

    return r == ATTEMPT_DONE ? 0 : error_bare(channel_code(r, ctx));
}

int rv_channel_recv(struct rv_context *ctx, struct rv_channel *channel, void *ret_element)
{
    enum attempt r = do_recv(ctx, channel, ret_element);

    return r == ATTEMPT_DONE ? 0 : error_bare(channel_code(r, ctx));
}

int rv_channel_try_send(struct rv_channel *channel, const void *element)
{
    return error_bare(channel_code(channel_send_now(channel, element), NULL));
}

int rv_channel_try_recv(struct rv_channel *channel, void *ret_element)
{
    return error_bare(channel_code(channel_recv_now(channel, ret_element), NULL));
}

int rv_channel_close(struct rv_channel *channel)
{
    int r = 0;

    pthread_mutex_lock(&channel->lock);
    if (atomic_load(&channel->closed)) {
        r = -EPIPE;
    } else {
        /* A thread that sees it closed then finds that nothing more is pushed. */
        if (channel->capacity > 0)
            atomic_fetch_or(&channel->ring.tail, RING_STOP);
        atomic_store(&channel->closed, true);
        channel_release_all(channel);
    }
    pthread_mutex_unlock(&channel->lock);
    return error_bare(r);
}

size_t rv_channel_length(struct rv_channel *channel)
{
    /* Counted while others push and pop it may come out as more than there can be. */
    return channel->capacity > 0 ? MIN(ring_length(&channel->ring), channel->capacity) : 0;
}

size_t rv_channel_capacity(const struct rv_channel *channel)
{
    return channel->capacity;
}

size_t rv_channel_element_size(const struct rv_channel *channel)
{
    return channel->element_size;
}
