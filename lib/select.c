/* SPDX-License-Identifier: MIT */
/*
 * Select: one of several operations on channels and descriptors.
 *
 * Properties: at most one clause is done, and its index returned; the others have no effect. -EAGAIN
 * means that at one moment none could proceed. No clause that is ready again and again is passed
 * over for ever.
 *
 * Operation: clauses are tried in an order that begins with a random one, and the first that can
 * proceed is done. If none can, all channels are locked, in the order of their addresses, each once;
 * a waiter is queued at every one, all sharing one wait, and the thread parks, in poll() when there
 * are descriptors. Whoever claims the wait decides which clause it was.
 *
 * Safety: a channel with a capacity is looked at again after the waiter is queued, as whoever waits
 * has to (channel.h); one without is tried with all locks held before. Waiters are taken out of
 * every queue before the function returns or tries again.
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
    uintptr_t x = (uintptr_t)*(struct rv_channel *const *)a;
    uintptr_t y = (uintptr_t)*(struct rv_channel *const *)b;

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

static int try_clause(const struct rv_clause *clause)
{
    if (clause->kind == RV_CLAUSE_FD)
        return clause->revents ? 0 : -EAGAIN;
    if (!clause->channel)
        return -EAGAIN;
    return clause->kind == RV_CLAUSE_SEND ? channel_send_now(clause->channel, clause->element)
                                          : channel_recv_now(clause->channel, clause->element);
}

/* Does one clause that can proceed, from a random one on. Returns its index or -EAGAIN. */
static int try_all(struct select *select)
{
    size_t start = select->count > 1 ? random_below(select->count) : 0;

    for (size_t n = 0; n < select->count; n++) {
        size_t i = (start + n) % select->count;
        int r = try_clause(&select->clauses[i]);

        if (r == -EAGAIN)
            continue;
        select->clauses[i].result = r;
        return (int)i;
    }
    return -EAGAIN;
}

static bool has_channel(const struct rv_clause *clause)
{
    return clause->kind != RV_CLAUSE_FD && clause->channel;
}

/* With all locks: what no channel without a capacity can do now. */
static int meet_any(struct select *select, struct parker **ret_wake)
{
    for (size_t i = 0; i < select->count; i++) {
        struct rv_clause *clause = &select->clauses[i];
        int r;

        if (!has_channel(clause) || clause->channel->capacity > 0)
            continue;
        r = channel_meet(clause->channel, clause->element, clause->kind == RV_CLAUSE_SEND,
                         ret_wake);
        if (r == -EAGAIN)
            continue;
        clause->result = r;
        return (int)i;
    }
    return -EAGAIN;
}

/* With all locks. From a random clause on: a channel that is in several is served through the one
 * that comes first. Returns whether some clause need not wait now. */
static bool enqueue_all(struct select *select)
{
    size_t start = select->count > 1 ? random_below(select->count) : 0;
    bool ready = false;

    for (size_t n = 0; n < select->count; n++) {
        size_t i = (start + n) % select->count;
        const struct rv_clause *clause = &select->clauses[i];
        struct channel_waiter *waiter = &select->waiters[i];

        if (!has_channel(clause))
            continue;
        *waiter = (struct channel_waiter){.wait = &select->wait,
                                          .element = clause->element,
                                          .token = (int)i + 1,
                                          .sender = clause->kind == RV_CLAUSE_SEND,
                                          .retry = waiter->retry};
        channel_enqueue(clause->channel, waiter);
        ready = ready || channel_is_ready(clause->channel, waiter->sender);
    }
    return ready;
}

/* With all locks. */
static void dequeue_all(struct select *select)
{
    for (size_t i = 0; i < select->count; i++)
        if (has_channel(&select->clauses[i]))
            parker_unpark(channel_dequeue(select->clauses[i].channel, &select->waiters[i]));
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

/* Returns the clause that was served, an error, or -EBUSY when all are to be tried again. */
static int wait_all(struct select *select, rv_duration deadline)
{
    struct context_hook hook = {.wait = &select->wait};
    struct channel_waiter *waiter;
    int r = 0, result;

    if (context_hook_add(select->ctx, &hook) != 0)
        wait_claim(&select->wait, WAIT_CANCEL);
    else if (select->fd_count > 0)
        r = park_polling(select, deadline);
    else
        wait_for(&select->wait, deadline);
    context_hook_remove(select->ctx, &hook);
    lock_all(select);
    dequeue_all(select);
    unlock_all(select);
    result = wait_result(&select->wait);
    if (r < 0)
        return r;
    if (result == WAIT_CANCEL)
        return rv_context_err(select->ctx);
    if (result == WAIT_TIMEOUT)
        return -EAGAIN;
    waiter = &select->waiters[result - 1];
    if (waiter->retry)
        return -EBUSY;
    select->clauses[result - 1].result = waiter->closed ? -EPIPE : 0;
    return result - 1;
}

/* Returns -EAGAIN when all waiters are queued, -EBUSY when all are to be tried again, or the clause
 * that was done. */
static int queue_all(struct select *select)
{
    struct parker *wake = NULL;
    int r;

    wait_init(&select->wait);
    lock_all(select);
    r = meet_any(select, &wake);
    if (r == -EAGAIN && enqueue_all(select)) {
        /* To take one out serves the next in line, who may be another of ours. */
        wait_claim(&select->wait, WAIT_TIMEOUT);
        dequeue_all(select);
        r = -EBUSY;
    }
    unlock_all(select);
    parker_unpark(wake);
    return r;
}

/* Grows with everything that goes through the rings; with the locks no flag changes. */
static uint64_t progress(const struct select *select)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < select->locked_count; i++) {
        const struct rv_channel *channel = select->locked[i];

        if (channel->capacity > 0)
            sum += atomic_load(&channel->ring.tail) + atomic_load(&channel->ring.head);
    }
    return sum;
}

static bool is_any_ready(const struct select *select)
{
    for (size_t i = 0; i < select->count; i++)
        if (has_channel(&select->clauses[i]) &&
            channel_is_ready(select->clauses[i].channel, select->clauses[i].kind == RV_CLAUSE_SEND))
            return true;
    return false;
}

/* For who does not wait. Clauses that were tried one after the other may each have been ready while
 * another was tried: this looks at all at one moment, which is any at which nothing has moved while
 * they were looked at. Returns -EAGAIN when none was ready, -EBUSY when all are to be tried again,
 * or the clause that was done. */
static int look_at_once(struct select *select)
{
    struct parker *wake = NULL;
    uint64_t before;
    bool ready;
    int r;

    if (select->locked_count < 2)
        return -EAGAIN;
    lock_all(select);
    r = meet_any(select, &wake);
    if (r == -EAGAIN) {
        do {
            before = progress(select);
            ready = is_any_ready(select);
        } while (!ready && progress(select) != before);
        r = ready ? -EBUSY : -EAGAIN;
    }
    unlock_all(select);
    parker_unpark(wake);
    return r;
}

static int look_at_fds(struct select *select)
{
    if (select->fd_count == 0)
        return 0;
    if (poll(select->fds, (nfds_t)select->fd_count, 0) < 0 && errno != EINTR)
        return -errno;
    take_revents(select);
    return 0;
}

int rv_select(struct rv_context *ctx, struct rv_clause *clauses, size_t count, rv_duration timeout)
{
    struct select select = {.ctx = ctx, .clauses = clauses, .count = count};
    rv_duration deadline = timeout != 0 ? deadline_after(timeout) : 0;
    int r;

    if (count > RV_SELECT_MAX)
        return -EINVAL;
    collect(&select);
    do {
        r = rv_context_err(ctx);
        if (r == 0)
            r = look_at_fds(&select);
        if (r < 0)
            return r;
        r = try_all(&select);
        if (r != -EAGAIN)
            return r;
        r = timeout == 0 ? look_at_once(&select) : queue_all(&select);
        if (r == -EAGAIN && timeout != 0)
            r = wait_all(&select, deadline);
    } while (r == -EBUSY);
    return r;
}
