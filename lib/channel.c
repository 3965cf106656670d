/* SPDX-License-Identifier: MIT */
#include "lib/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rv_channel_create(size_t element_size, size_t capacity, struct rv_channel **ret_channel)
{
    struct rv_channel *channel;
    size_t size;

    if (element_size == 0 || __builtin_mul_overflow(element_size, capacity, &size) ||
        __builtin_add_overflow(size, sizeof(*channel), &size))
        return -EINVAL;
    channel = malloc(size);
    if (!channel)
        return -ENOMEM;
    memset(channel, 0, sizeof(*channel));
    atomic_init(&channel->references, 1);
    channel->element_size = element_size;
    channel->capacity = capacity;
    pthread_mutex_init(&channel->lock, NULL);
    list_init(&channel->senders);
    list_init(&channel->receivers);
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
        free(channel);
    }
    return NULL;
}

/* The queue's first waiter that can still be served, claimed. */
static struct channel_waiter *claim_first(struct list *queue)
{
    while (!list_is_empty(queue)) {
        struct channel_waiter *waiter = list_entry(queue->next, struct channel_waiter, list);

        channel_dequeue(waiter);
        if (wait_claim(waiter->wait, waiter->token))
            return waiter;
    }
    return NULL;
}

static void copy(struct rv_channel *channel, void *target, const void *source)
{
    if (target)
        memcpy(target, source, channel->element_size);
}

static unsigned char *slot(struct rv_channel *channel, size_t i)
{
    size_t place = channel->head + i;

    if (place >= channel->capacity)
        place -= channel->capacity;
    return channel->buffer + place * channel->element_size;
}

int channel_send_now(struct rv_channel *channel, const void *element, struct parker **ret_wake)
{
    struct channel_waiter *receiver;

    if (channel->closed)
        return -EPIPE;
    /* A receiver waits only while the buffer is empty. */
    receiver = claim_first(&channel->receivers);
    if (receiver) {
        copy(channel, receiver->element, element);
        *ret_wake = receiver->wait->parker;
        return 0;
    }
    if (channel->length == channel->capacity)
        return -EAGAIN;
    copy(channel, slot(channel, channel->length++), element);
    return 0;
}

int channel_recv_now(struct rv_channel *channel, void *element, struct parker **ret_wake)
{
    struct channel_waiter *sender;

    if (channel->length > 0) {
        copy(channel, element, slot(channel, 0));
        channel->head = channel->head + 1 == channel->capacity ? 0 : channel->head + 1;
        channel->length--;
        /* A sender waits only while the buffer is full: its element is the next in line. */
        sender = claim_first(&channel->senders);
        if (sender)
            copy(channel, slot(channel, channel->length++), sender->element);
    } else {
        sender = claim_first(&channel->senders);
        if (!sender)
            return channel->closed ? -EPIPE : -EAGAIN;
        copy(channel, element, sender->element);
    }
    if (sender)
        *ret_wake = sender->wait->parker;
    return 0;
}

void channel_enqueue(struct rv_channel *channel, struct channel_waiter *waiter, bool sender)
{
    waiter->linked = true;
    waiter->closed = false;
    list_append(sender ? &channel->senders : &channel->receivers, &waiter->list);
}

void channel_dequeue(struct channel_waiter *waiter)
{
    if (waiter->linked)
        list_remove(&waiter->list);
    waiter->linked = false;
}

/* The common part of send and receive: try, else wait until served, closed or cancelled. */
static int operate(struct rv_context *ctx, struct rv_channel *channel, void *element, bool send)
{
    struct channel_waiter waiter = {.element = element, .token = 1};
    struct context_hook hook = {0};
    struct parker *wake = NULL;
    struct wait wait;
    int r = rv_context_err(ctx);

    if (r != 0)
        return r;
    pthread_mutex_lock(&channel->lock);
    r = send ? channel_send_now(channel, element, &wake)
             : channel_recv_now(channel, element, &wake);
    if (r == -EAGAIN) {
        wait_init(&wait);
        waiter.wait = &wait;
        channel_enqueue(channel, &waiter, send);
    }
    pthread_mutex_unlock(&channel->lock);
    if (wake)
        parker_unpark(wake);
    if (r != -EAGAIN)
        return r;
    hook.wait = &wait;
    if (context_hook_add(ctx, &hook) != 0)
        wait_claim(&wait, WAIT_CANCEL);
    else
        wait_for(&wait, RV_FOREVER);
    context_hook_remove(ctx, &hook);
    pthread_mutex_lock(&channel->lock);
    channel_dequeue(&waiter);
    pthread_mutex_unlock(&channel->lock);
    if (wait_result(&wait) == WAIT_CANCEL)
        return rv_context_err(ctx);
    return waiter.closed ? -EPIPE : 0;
}

int rv_channel_send(struct rv_context *ctx, struct rv_channel *channel, const void *element)
{
    /* A sender's element is only read. */
    return operate(ctx, channel, (void *)(uintptr_t)element, true);
}

int rv_channel_recv(struct rv_context *ctx, struct rv_channel *channel, void *ret_element)
{
    return operate(ctx, channel, ret_element, false);
}

int rv_channel_try_send(struct rv_channel *channel, const void *element)
{
    struct parker *wake = NULL;
    int r;

    pthread_mutex_lock(&channel->lock);
    r = channel_send_now(channel, element, &wake);
    pthread_mutex_unlock(&channel->lock);
    if (wake)
        parker_unpark(wake);
    return r;
}

int rv_channel_try_recv(struct rv_channel *channel, void *ret_element)
{
    struct parker *wake = NULL;
    int r;

    pthread_mutex_lock(&channel->lock);
    r = channel_recv_now(channel, ret_element, &wake);
    pthread_mutex_unlock(&channel->lock);
    if (wake)
        parker_unpark(wake);
    return r;
}

/* Under the lock: those that are woken cannot leave before it is given up. */
static void close_waiters(struct list *queue)
{
    struct channel_waiter *waiter;

    while ((waiter = claim_first(queue))) {
        waiter->closed = true;
        parker_unpark(waiter->wait->parker);
    }
}

int rv_channel_close(struct rv_channel *channel)
{
    int r = 0;

    pthread_mutex_lock(&channel->lock);
    if (channel->closed) {
        r = -EPIPE;
    } else {
        channel->closed = true;
        close_waiters(&channel->senders);
        close_waiters(&channel->receivers);
    }
    pthread_mutex_unlock(&channel->lock);
    return r;
}

size_t rv_channel_length(struct rv_channel *channel)
{
    size_t length;

    pthread_mutex_lock(&channel->lock);
    length = channel->length;
    pthread_mutex_unlock(&channel->lock);
    return length;
}

size_t rv_channel_capacity(const struct rv_channel *channel)
{
    return channel->capacity;
}

size_t rv_channel_element_size(const struct rv_channel *channel)
{
    return channel->element_size;
}
