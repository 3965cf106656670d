/* SPDX-License-Identifier: MIT */
/*
 * Channels: bounded queues of fixed-size elements between threads, and select over them.
 *
 * Capacity 0 is a rendezvous: a send returns once a receiver has taken the element. Closing wakes
 * everybody: receivers drain what is buffered and then get -EPIPE; sending on a closed channel is
 * -EPIPE. A context that is done wins over a channel that is ready. Any thread may call anything,
 * with a reference that lasts until its call returns: a receiver may have the element, and give its
 * own reference up, before the sender's call is over.
 */
#ifndef REEVE_CHANNEL_H
#define REEVE_CHANNEL_H

#include <stddef.h>

#include <reeve/context.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_channel;

/* Makes a channel of elements of so many bytes, with room for so many of them. One reference is the
 * caller's. Returns 0, -EINVAL for an element_size of 0 or sizes that
 * overflow, or -ENOMEM. */
int rv_channel_create(size_t element_size, size_t capacity,
                      struct rv_channel **ret_channel) RV_MUST_CHECK_;
/* Takes a reference more. Returns channel. */
struct rv_channel *rv_channel_ref(struct rv_channel *channel);
/* Gives a reference back. NULL does nothing. With the last one, elements that are left are dropped.
 * Returns NULL. */
struct rv_channel *rv_channel_unref(struct rv_channel *channel);

/* Copies *element in, blocking while there is no room. Returns 0, -EPIPE, or the context's code,
 * and then nothing was sent. */
int rv_channel_send(struct rv_context *ctx, struct rv_channel *channel,
                    const void *element) RV_MUST_CHECK_;
/* Copies the next element out, blocking while there is none. Returns 0, -EPIPE, or the context's
 * code. */
int rv_channel_recv(struct rv_context *ctx, struct rv_channel *channel,
                    void *ret_element) RV_MUST_CHECK_;
/* As above without blocking: -EAGAIN instead. */
int rv_channel_try_send(struct rv_channel *channel, const void *element) RV_MUST_CHECK_;
int rv_channel_try_recv(struct rv_channel *channel, void *ret_element) RV_MUST_CHECK_;

/*
 * Sends count elements that lie side by side, in their order, blocking while there is no room: one
 * call costs hardly more than one rv_channel_send(). Those of other senders may come between them.
 * *ret_sent (may be NULL) is how many were sent, from the first on: all, unless an error is
 * returned. Returns 0, -EPIPE, or the context's code, this one for a count of 0, too.
 */
int rv_channel_send_many(struct rv_context *ctx, struct rv_channel *channel, const void *elements,
                         size_t count, size_t *ret_sent) RV_MUST_CHECK_;
/*
 * Receives up to limit elements, side by side and in their order: what is there, and at least one,
 * blocking while there is none. *ret_received is how many; 0 with an error. Returns 0, -EPIPE, the
 * context's code, or -EINVAL for a limit of 0.
 */
int rv_channel_recv_many(struct rv_context *ctx, struct rv_channel *channel, void *ret_elements,
                         size_t limit, size_t *ret_received) RV_MUST_CHECK_;

/* Nothing more can be sent; what is buffered can be received. Returns 0, or -EPIPE when it is
 * closed already. */
int rv_channel_close(struct rv_channel *channel);

/* Elements in the buffer (while others send and receive only about), and what it holds. */
size_t rv_channel_length(struct rv_channel *channel);
size_t rv_channel_capacity(const struct rv_channel *channel);
size_t rv_channel_element_size(const struct rv_channel *channel);

/* The kind of an alternative of a select. */
enum rv_clause_kind { RV_CLAUSE_SEND, RV_CLAUSE_RECV, RV_CLAUSE_FD };

/* One alternative of a select; made with the macros below. */
struct rv_clause {
    enum rv_clause_kind kind RV_ZERO_;
    struct rv_channel *channel RV_ZERO_; /* NULL: never ready */
    void *element RV_ZERO_;              /* to send from or receive into */
    int fd RV_ZERO_;                     /* negative: never ready */
    short events RV_ZERO_;               /* to wait for */
    short revents RV_ZERO_;              /* what was ready; POLLNVAL: fd is not open */
    int result RV_ZERO_;                 /* of the clause that was chosen: 0 or -EPIPE */
};

/* The clauses of an array of struct rv_clause: send *element, receive into *element, or wait for
 * events of poll(2) on a descriptor. */
#define RV_SEND(channel_, element_) \
    {.kind = RV_CLAUSE_SEND, .channel = (channel_), .element = (void *)(element_), .fd = -1}
#define RV_RECV(channel_, element_) \
    {.kind = RV_CLAUSE_RECV, .channel = (channel_), .element = (element_), .fd = -1}
#define RV_READY(fd_, events_) {.kind = RV_CLAUSE_FD, .fd = (fd_), .events = (events_)}

/* A select has at most so many clauses. */
#define RV_SELECT_MAX 64

/*
 * Waits until one clause can proceed, does it, and returns its index; its result says whether the
 * channel was closed (-EPIPE). Among several that are ready the choice is fair. Returns -EAGAIN
 * after timeout (0: without waiting), the context's code, -EINVAL for more than RV_SELECT_MAX
 * clauses, or, with descriptors, -EMFILE, -ENFILE, -ENOMEM or -EINVAL where limits keep it from
 * waiting. Without any clause that can be ready it waits for the timeout or the context.
 */
int rv_select(struct rv_context *ctx, struct rv_clause *clauses, size_t count,
              rv_duration timeout) RV_MUST_CHECK_;

#ifdef __cplusplus
}
#endif

#endif
