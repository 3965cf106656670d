/* SPDX-License-Identifier: MIT */
/*
 * Select: one of several operations on channels and descriptors.
 *
 * Properties: at most one clause is done, and its index returned; the others have no effect. All
 * clauses are looked at in one moment. No clause that is ready again and again is passed over for
 * ever.
 *
 * Operation: all channels are locked, in the order of their addresses, each once. If some clause
 * can proceed, one of those is chosen at random and done. Else a waiter is queued at every channel,
 * all sharing one wait, and the thread parks, in poll() when there are descriptors. Whoever claims
 * the wait decides which clause it was.
 *
 * Safety: as all channels are locked together, no clause can become ready between looking and
 * queueing. Waiters are taken out of every queue before the function returns.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "lib/channel.h"

struct select {
    struct rv_context *ctx;
    struct rv_clause *clauses;
    size_t count;
    size_t fd_count;
    struct wait wait;
    struct rv_channel *locked[RV_SELECT_MAX]; /* sorted, each once */
    size_t locked_count;
    struct channel_waiter waiters[RV_SELECT_MAX];
    struct pollfd fds[RV_SELECT_MAX + 1]; /* of the fd clauses, in their order */
};

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct rv_channel *const *)a;
    uintptr_t y = (uintptr_t) * (struct rv_channel *const *)b;

    return (x > y) - (x < y);
}

static void collect(struct select *select)
{
    size_t unique = 0;

    for (size_t i = 0; i < select->count; i++) {
        const struct rv_clause *clause = &select->clauses[i];

        if (clause->kind == RV_CLAUSE_FD)
            select->fds[select->fd_count++] =
                (struct pollfd){.fd = clause->fd, .events = clause->events};
        else if (clause->channel)
            select->locked[select->locked_count++] = clause->channel;
    }
    qsort(select->locked, select->locked_count, sizeof(struct rv_channel *), by_address);
    for (size_t i = 0; i < select->locked_count; i++)
        if (unique == 0 || select->locked[unique - 1] != select->locked[i])
            select->locked[unique++] = select->locked[i];
    select->locked_count = unique;
}

static void lock_all(struct select *select)
{
    for (size_t i = 0; i < select->locked_count; i++)
        pthread_mutex_lock(&select->locked[i]->lock);
}

static void unlock_all(struct select *select)
{
    for (size_t i = select->locked_count; i > 0; i--)
        pthread_mutex_unlock(&select->locked[i - 1]->lock);
}

/* A small generator of the thread's own is fair enough, and takes no lock. */
static size_t random_below(size_t limit)
{
    static __thread uint64_t state;

    if (state == 0)
        state = ((uint64_t)rv_now() ^ (uint64_t)(uintptr_t)&state) | 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % limit);
}

/* Copies what poll() found to the clauses. */
static void take_revents(struct select *select)
{
    size_t fd = 0;

    for (size_t i = 0; i < select->count; i++)
        if (select->clauses[i].kind == RV_CLAUSE_FD)
            select->clauses[i].revents = select->fds[fd++].revents;
}

/* With all locks. Does one clause that can proceed, from a random one on. Returns its index or
 * -EAGAIN. */
static int try_all(struct select *select, struct parker **ret_wake)
{
    size_t start = select->count > 1 ? random_below(select->count) : 0;

    for (size_t n = 0; n < select->count; n++) {
        size_t i = (start + n) % select->count;
        struct rv_clause *clause = &select->clauses[i];
        int r = -EAGAIN;

        if (clause->kind == RV_CLAUSE_FD)
            r = clause->revents ? 0 : -EAGAIN;
        else if (clause->channel && clause->kind == RV_CLAUSE_SEND)
            r = channel_send_now(clause->channel, clause->element, ret_wake);
        else if (clause->channel)
            r = channel_recv_now(clause->channel, clause->element, ret_wake);
        if (r == -EAGAIN)
            continue;
        clause->result = r;
        return (int)i;
    }
    return -EAGAIN;
}

/* With all locks. From a random clause on: a channel that is in several is served through the one
 * that comes first. */
static void enqueue_all(struct select *select)
{
    size_t start = select->count > 1 ? random_below(select->count) : 0;

    for (size_t n = 0; n < select->count; n++) {
        size_t i = (start + n) % select->count;
        const struct rv_clause *clause = &select->clauses[i];

        select->waiters[i] = (struct channel_waiter){
            .wait = &select->wait, .element = clause->element, .token = (int)i + 1};
        if (clause->kind != RV_CLAUSE_FD && clause->channel)
            channel_enqueue(clause->channel, &select->waiters[i], clause->kind == RV_CLAUSE_SEND);
    }
}

static void dequeue_all(struct select *select)
{
    lock_all(select);
    for (size_t i = 0; i < select->count; i++)
        if (select->clauses[i].kind != RV_CLAUSE_FD && select->clauses[i].channel)
            channel_dequeue(&select->waiters[i]);
    unlock_all(select);
}

/* Parks until the wait is claimed, claiming it for a descriptor that is ready. */
static int park_polling(struct select *select, rv_duration deadline)
{
    while (wait_result(&select->wait) == WAIT_PENDING) {
        int r = parker_poll(select->wait.parker, select->fds, select->fd_count, deadline);

        if (r < 0 && wait_claim(&select->wait, WAIT_TIMEOUT))
            return r;
        if (r > 0) {
            size_t start = random_below(select->count);

            take_revents(select);
            for (size_t n = 0; n < select->count; n++) {
                size_t i = (start + n) % select->count;

                if (select->clauses[i].kind == RV_CLAUSE_FD && select->clauses[i].revents)
                    wait_claim(&select->wait, (int)i + 1);
            }
        } else if (deadline != RV_FOREVER && rv_now() >= deadline) {
            wait_claim(&select->wait, WAIT_TIMEOUT);
        }
    }
    return 0;
}

static int wait_all(struct select *select, rv_duration deadline)
{
    struct context_hook hook = {.wait = &select->wait};
    int r = 0, result;

    if (context_hook_add(select->ctx, &hook) != 0)
        wait_claim(&select->wait, WAIT_CANCEL);
    else if (select->fd_count > 0)
        r = park_polling(select, deadline);
    else
        wait_for(&select->wait, deadline);
    context_hook_remove(select->ctx, &hook);
    dequeue_all(select);
    result = wait_result(&select->wait);
    if (r < 0)
        return r;
    if (result == WAIT_CANCEL)
        return rv_context_err(select->ctx);
    if (result == WAIT_TIMEOUT)
        return -EAGAIN;
    select->clauses[result - 1].result = select->waiters[result - 1].closed ? -EPIPE : 0;
    return result - 1;
}

int rv_select(struct rv_context *ctx, struct rv_clause *clauses, size_t count, rv_duration timeout)
{
    struct select select = {.ctx = ctx, .clauses = clauses, .count = count};
    struct parker *wake = NULL;
    int r = rv_context_err(ctx);

    if (r != 0)
        return r;
    if (count > RV_SELECT_MAX)
        return -EINVAL;
    collect(&select);
    if (select.fd_count > 0) {
        if (poll(select.fds, (nfds_t)select.fd_count, 0) < 0 && errno != EINTR)
            return -errno;
        take_revents(&select);
    }
    wait_init(&select.wait);
    lock_all(&select);
    r = try_all(&select, &wake);
    if (r == -EAGAIN && timeout != 0)
        enqueue_all(&select);
    unlock_all(&select);
    if (wake)
        parker_unpark(wake);
    if (r != -EAGAIN || timeout == 0)
        return r;
    return wait_all(&select, deadline_after(timeout));
}
