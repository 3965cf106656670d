/* SPDX-License-Identifier: MIT */
/*
 * Select: one of several operations on channels and descriptors.
 *
 * Properties: at most one clause is done, and its index returned; the others have no effect.
 * -EAGAIN means that at one moment none could proceed. Of clauses that are ready each is as likely
 * as any other, wherever they stand.
 *
 * Operation: clauses are tried in a random order, new for each try, and the first that can
 * proceed is done. (An order that only begins at random would give a clause the share of all that
 * stand before it and are not ready.) If none can, all channels are locked, in the order of their
 * addresses, each once; a waiter is queued at every one, all sharing one wait, and the thread
 * parks, in poll() when there are descriptors. The thread that claims the wait decides which clause
 * it was.
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
    size_t chosen; /* the clause that was done */
    uint8_t order[RV_SELECT_MAX];
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

/* A new random order of the clauses. */
static void shuffle(struct select *select)
{
    for (size_t i = 0; i < select->count; i++) {
        size_t j = i > 0 ? random_below(i + 1) : 0;

        select->order[i] = select->order[j];
        select->order[j] = (uint8_t)i;
    }
}

/* Copies what poll() found to the clauses. */
static void take_revents(struct select *select)
{
    size_t fd = 0;

    for (size_t i = 0; i < select->count; i++)
        if (select->clauses[i].kind == RV_CLAUSE_FD)
            select->clauses[i].revents = select->fds[fd++].revents;
}

static enum attempt try_clause(const struct rv_clause *clause)
{
    if (clause->kind == RV_CLAUSE_FD)
        return clause->revents ? ATTEMPT_DONE : ATTEMPT_BLOCKED;
    if (!clause->channel)
        return ATTEMPT_BLOCKED;
    return clause->kind == RV_CLAUSE_SEND ? channel_send_now(clause->channel, clause->element)
                                          : channel_recv_now(clause->channel, clause->element);
}

static enum attempt choose(struct select *select, size_t i, bool closed)
{
    select->clauses[i].result = closed ? -EPIPE : 0;
    select->chosen = i;
    return ATTEMPT_DONE;
}

/* Does one clause that can proceed. */
static enum attempt try_all(struct select *select)
{
    shuffle(select);
    for (size_t n = 0; n < select->count; n++) {
        size_t i = select->order[n];
        enum attempt r = try_clause(&select->clauses[i]);

        if (r != ATTEMPT_BLOCKED)
            return choose(select, i, r == ATTEMPT_CLOSED);
    }
    return ATTEMPT_BLOCKED;
}

static bool has_channel(const struct rv_clause *clause)
{
    return clause->kind != RV_CLAUSE_FD && clause->channel;
}

/* With all locks: what no channel without a capacity can do now. */
static enum attempt meet_any(struct select *select, struct parker **ret_wake)
{
    for (size_t n = 0; n < select->count; n++) {
        size_t i = select->order[n];
        const struct rv_clause *clause = &select->clauses[i];
        enum attempt r;

        if (!has_channel(clause) || clause->channel->capacity > 0)
            continue;
        r = channel_meet(clause->channel, clause->element, clause->kind == RV_CLAUSE_SEND,
                         ret_wake);
        if (r != ATTEMPT_BLOCKED)
            return choose(select, i, r == ATTEMPT_CLOSED);
    }
    return ATTEMPT_BLOCKED;
}

/* With all locks. In a random order: a channel that is in several is served through the one that
 * comes first. Returns whether some clause need not wait now. */
static bool enqueue_all(struct select *select)
{
    bool ready = false;

    for (size_t n = 0; n < select->count; n++) {
        size_t i = select->order[n];
        const struct rv_clause *clause = &select->clauses[i];
        struct channel_waiter *waiter = &select->waiters[i];

        if (!has_channel(clause))
            continue;
        *waiter = (struct channel_waiter){.wait = &select->wait,
                                          .element = clause->element,
                                          .token = (int)i + 1,
                                          .sender = clause->kind == RV_CLAUSE_SEND,
                                          .waited = true, /* no time ends its putting off */
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

/* Parks until the wait is claimed, claiming it for a descriptor that is ready. Returns 0 or
 * poll()'s error. */
static int park_polling(struct select *select, rv_time deadline)
{
    while (wait_result(&select->wait) == WAIT_PENDING) {
        int r = parker_poll(select->wait.parker, select->fds, select->fd_count, deadline);

        if (r < 0 && wait_claim(&select->wait, WAIT_TIMEOUT))
            return r;
        if (r > 0) {
            take_revents(select);
            for (size_t n = 0; n < select->count; n++) {
                size_t i = select->order[n];

                if (select->clauses[i].kind == RV_CLAUSE_FD && select->clauses[i].revents)
                    wait_claim(&select->wait, (int)i + 1);
            }
        } else if (deadline != RV_NEVER && rv_now() >= deadline) {
            wait_claim(&select->wait, WAIT_TIMEOUT);
        }
    }
    return 0;
}

/* Waits until a clause is served. Blocked: the deadline has passed, or *ret_error says what kept it
 * from polling. */
static enum attempt wait_all(struct select *select, rv_time deadline, int *ret_error)
{
    struct context_hook hook = {.wait = &select->wait};
    struct channel_waiter *waiter;
    int result;

    if (context_hook_add(select->ctx, &hook) != 0)
        wait_claim(&select->wait, WAIT_CANCEL);
    else if (select->fd_count > 0)
        *ret_error = park_polling(select, deadline);
    else
        wait_for(&select->wait, deadline);
    context_hook_remove(select->ctx, &hook);
    lock_all(select);
    dequeue_all(select);
    unlock_all(select);
    result = wait_result(&select->wait);
    if (result == WAIT_CANCEL)
        return ATTEMPT_CANCELLED;
    if (result == WAIT_TIMEOUT)
        return ATTEMPT_BLOCKED;
    waiter = &select->waiters[result - 1];
    if (waiter->retry)
        return ATTEMPT_AGAIN;
    return choose(select, (size_t)result - 1, waiter->closed);
}

/* Blocked: all waiters are queued. */
static enum attempt queue_all(struct select *select)
{
    struct parker *wake = NULL;
    enum attempt r;

    wait_init(&select->wait);
    lock_all(select);
    r = meet_any(select, &wake);
    if (r == ATTEMPT_BLOCKED && enqueue_all(select)) {
        /* To take one out serves the next in line, who may be another of ours. */
        wait_claim(&select->wait, WAIT_TIMEOUT);
        dequeue_all(select);
        r = ATTEMPT_AGAIN;
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

/* For a caller that does not wait. Clauses that were tried one after the other may each have been
 * ready while another was tried: this looks at all at one moment, which is any at which nothing has
 * moved while they were looked at. Blocked: none was ready. */
static enum attempt look_at_once(struct select *select)
{
    struct parker *wake = NULL;
    uint64_t before;
    enum attempt r;
    bool ready;

    if (select->locked_count < 2)
        return ATTEMPT_BLOCKED;
    lock_all(select);
    r = meet_any(select, &wake);
    if (r == ATTEMPT_BLOCKED) {
        do {
            before = progress(select);
            ready = is_any_ready(select);
        } while (!ready && progress(select) != before);
        r = ready ? ATTEMPT_AGAIN : ATTEMPT_BLOCKED;
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
    rv_time deadline = timeout > 0 ? deadline_after(timeout) : 0;
    enum attempt attempt;
    int error = 0;

    if (count > RV_SELECT_MAX)
        return error_bare(-EINVAL);
    collect(&select);
    do {
        if (rv_context_err(ctx) != 0)
            return error_bare(rv_context_err(ctx));
        error = look_at_fds(&select);
        if (error < 0)
            return error_bare(error);
        attempt = try_all(&select);
        if (attempt == ATTEMPT_BLOCKED)
            attempt = timeout <= 0 ? look_at_once(&select) : queue_all(&select);
        if (attempt == ATTEMPT_BLOCKED && timeout > 0)
            attempt = wait_all(&select, deadline, &error);
    } while (attempt == ATTEMPT_AGAIN);
    if (attempt == ATTEMPT_DONE)
        return (int)select.chosen;
    if (attempt == ATTEMPT_CANCELLED)
        return error_bare(rv_context_err(ctx));
    return error_bare(error < 0 ? error : -EAGAIN);
}
