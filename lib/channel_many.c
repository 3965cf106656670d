/* SPDX-License-Identifier: MIT */
/*
 * Many elements at a time.
 *
 * Properties: the elements of one call enter, and leave, in their order; those of other calls may
 * come between them. An element is sent or not, and the count says which are.
 *
 * Operation: as many tickets as the ring has room or elements for are taken at once, and the
 * elements copied as one block. Where nothing can be done the call waits with a single element,
 * like any other sender or receiver, and then goes on with the rest; so those that wait are served
 * in turn, however many elements they have. Without a capacity elements pass one by one.
 */
#include <errno.h>

#include "lib/channel.h"

/* Done: at least one; *ret_count says how many. */
static enum attempt send_some(struct rv_channel *channel, const void *elements, size_t count,
                              size_t *ret_count)
{
    struct ring_signs signs;
    struct ring_span span;
    enum attempt r = ring_push_begin(&channel->ring, count, &span, &signs);

    if (r != ATTEMPT_DONE)
        return r;
    ring_copy_in(&channel->ring, &span, elements);
    ring_pushed(&channel->ring, &span);
    *ret_count = span.count;
    if (signs.tell)
        channel_tell(channel, false);
    return ATTEMPT_DONE;
}

/* The same. It does not look whether the channel is closed. */
static enum attempt recv_some(struct rv_channel *channel, void *ret_elements, size_t limit,
                              size_t *ret_count)
{
    struct ring_signs signs;
    struct ring_span span;
    enum attempt r = ring_pop_begin(&channel->ring, limit, &span, &signs);

    if (r != ATTEMPT_DONE)
        return r;
    ring_copy_out(&channel->ring, &span, ret_elements);
    ring_popped(&channel->ring, &span);
    *ret_count = span.count;
    if (signs.tell)
        channel_tell(channel, true);
    return ATTEMPT_DONE;
}

int rv_channel_send_many(struct rv_context *ctx, struct rv_channel *channel, const void *elements,
                         size_t count, size_t *ret_sent)
{
    const unsigned char *next = elements;
    size_t sent = 0, some = 0;
    enum attempt r = rv_context_err(ctx) != 0 ? ATTEMPT_CANCELLED : ATTEMPT_DONE;

    for (; sent < count && r == ATTEMPT_DONE; sent += some, next += some * channel->element_size) {
        if (rv_context_err(ctx) != 0)
            r = ATTEMPT_CANCELLED;
        else if (channel->capacity > 0)
            r = send_some(channel, next, count - sent, &some);
        else
            r = ATTEMPT_BLOCKED;
        if (r == ATTEMPT_BLOCKED) {
            r = channel_send(ctx, channel, next);
            some = 1;
        }
        if (r != ATTEMPT_DONE)
            some = 0;
    }
    if (ret_sent)
        *ret_sent = sent;
    return error_bare(channel_code(r, ctx));
}

int rv_channel_recv_many(struct rv_context *ctx, struct rv_channel *channel, void *ret_elements,
                         size_t limit, size_t *ret_received)
{
    size_t received = 0;
    enum attempt r = ATTEMPT_BLOCKED;

    *ret_received = 0;
    if (limit == 0)
        return error_bare(-EINVAL);
    if (rv_context_err(ctx) != 0)
        return error_bare(rv_context_err(ctx));
    if (channel->capacity > 0)
        r = recv_some(channel, ret_elements, limit, &received);
    if (r != ATTEMPT_DONE) {
        r = channel_recv(ctx, channel, ret_elements);
        received = r == ATTEMPT_DONE;
    }
    *ret_received = received;
    return error_bare(channel_code(r, ctx));
}
