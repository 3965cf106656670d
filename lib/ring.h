/* SPDX-License-Identifier: MIT */
/*
 * A bounded ring for many pushers and many poppers without a lock: the fast path of pools and
 * channels, which decide with a lock of their own what it does not.
 *
 * Properties: elements come out in the order of their tickets, each once. At most `capacity` are
 * inside. A push or pop that finds RING_STOP on its word does nothing; one that finds RING_TELL is
 * done, and its caller is told.
 *
 * Operation: `tail` counts pushes, `head` counts pops, both above two flags. Every cell has a
 * number: the first ticket of the lap for whose push it is free, or one more when that element is
 * there; so a ring begins as zeroes, and pages that no element has reached are never made. To push
 * is to move tail up by compare-and-swap, fill the cell and raise its number; to pop is to move
 * head up over cells that are filled, empty them and make them free for the next lap. So pushers
 * and poppers touch no common word but the cells, as long as the ring is neither full nor empty as
 * far as they know (head_seen).
 *
 * Safety: as flags and tickets share a word, setting a flag falls either before a push, which then
 * sees it, or after, and then who has set it sees the new ticket: no third party needs a fence to
 * agree on who has to act. For that both are read-modify-writes of the word, and all looks at tail
 * and head that decide something are sequentially consistent: who has set a flag and looks cannot
 * read an older ticket. An element is published by the release of its cell's number and seen by the
 * acquire of that; so is that the cell is empty again. head_seen may be behind, also go back; it
 * only says "not full", and the number of the cell has the last word. Who sees a ticket whose cell
 * is not ready waits for it: its owner has only the copy of one element left to do, though it may
 * lose its processor while at it, hence the yield. (Under SCHED_FIFO a thread that yields to nobody
 * of lesser priority could wait for ever: the threads of a process are to have one policy.)
 * Idea: D. Vyukov, "Bounded MPMC queue".
 */
#ifndef REEVE_LIB_RING_H
#define REEVE_LIB_RING_H

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RING_STOP UINT64_C(1)
#define RING_TELL UINT64_C(2)
#define RING_ONE  UINT64_C(4)

#define RING_AHEAD 32 /* cells to fetch before they are needed */

#define RING_FEW 8

#define CACHE_LINE 64

struct ring_cell {
    _Atomic uint64_t number;
    unsigned char element[];
};

struct ring {
    unsigned char *cells;
    size_t cell_size, element_size;
    uint64_t mask;            /* of tickets, to a cell: their number is a power of two */
    _Atomic int64_t capacity; /* what may be inside; may fall and rise while in use */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail;
    _Atomic uint64_t head_seen; /* a ticket that head has reached */
    _Alignas(CACHE_LINE) _Atomic uint64_t head;
};

/* What an operation has found on the way. */
struct ring_signs {
    bool tell;  /* RING_TELL was set */
    bool tight; /* the other side is only a few cells away: who comes back at once meets it there */
};

/* Returns 0, -EINVAL when it is too large, or -ENOMEM. */
int ring_init(struct ring *ring, size_t element_size, size_t capacity);
void ring_finish(struct ring *ring);

static inline void ring_relax(unsigned *turns)
{
    if (++*turns % 64 == 0)
        sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline struct ring_cell *ring_cell(const struct ring *ring, uint64_t ticket)
{
    return (struct ring_cell *)(void *)(ring->cells + (ticket & ring->mask) * ring->cell_size);
}

static inline uint64_t ring_lap(const struct ring *ring, uint64_t ticket)
{
    return ticket & ~ring->mask;
}

/* Whether a push with this ticket would exceed the capacity. *ret_tight: it would have but for a few
 * pops that have just been. */
static inline bool ring_is_full(struct ring *ring, uint64_t ticket, bool *ret_tight)
{
    int64_t capacity = atomic_load_explicit(&ring->capacity, memory_order_relaxed);
    uint64_t seen = atomic_load_explicit(&ring->head_seen, memory_order_relaxed), head;

    if ((int64_t)(ticket - seen) < capacity)
        return false;
    head = atomic_load(&ring->head) / RING_ONE;
    atomic_store_explicit(&ring->head_seen, head, memory_order_relaxed);
    *ret_tight = head - seen < RING_FEW;
    return (int64_t)(ticket - head) >= capacity;
}

/* Takes a ticket for a push. Returns -EAGAIN when it is full, -EPIPE when it is stopped. The
 * caller copies its element to *ret_cell's and calls ring_pushed(). */
static inline int ring_push_begin(struct ring *ring, struct ring_cell **ret_cell,
                                  uint64_t *ret_ticket, struct ring_signs *ret_signs)
{
    /* Acquire: "full" is true of one moment only if head is read after it. */
    uint64_t word = atomic_load_explicit(&ring->tail, memory_order_acquire);
    unsigned turns = 0;

    ret_signs->tell = ret_signs->tight = false;

    for (;;) {
        uint64_t ticket = word / RING_ONE;
        struct ring_cell *cell = ring_cell(ring, ticket);

        /* The last lap's popper had the line; it is on its way before its turn comes. */
        __builtin_prefetch(ring_cell(ring, ticket + RING_AHEAD), 1);
        if (word & RING_STOP)
            return -EPIPE;
        if (ring_is_full(ring, ticket, &ret_signs->tight)) {
            uint64_t now = atomic_load(&ring->tail);

            if (now == word)
                return -EAGAIN;
            word = now;
        } else if (atomic_load_explicit(&cell->number, memory_order_acquire) !=
                   ring_lap(ring, ticket)) {
            /* Somebody else has the ticket, or the last lap's element is about to be gone. */
            ring_relax(&turns);
            word = atomic_load_explicit(&ring->tail, memory_order_acquire);
        } else if (atomic_compare_exchange_weak(&ring->tail, &word, word + RING_ONE)) {
            *ret_cell = cell;
            *ret_ticket = ticket;
            ret_signs->tell = word & RING_TELL;
            return 0;
        }
    }
}

static inline void ring_pushed(const struct ring *ring, struct ring_cell *cell, uint64_t ticket)
{
    atomic_store_explicit(&cell->number, ring_lap(ring, ticket) + 1, memory_order_release);
}

/* How many elements from this ticket on are there to be popped, up to a limit. */
static inline size_t ring_filled(const struct ring *ring, uint64_t ticket, size_t limit)
{
    size_t count = 0;

    while (count < limit &&
           atomic_load_explicit(&ring_cell(ring, ticket + count)->number, memory_order_acquire) ==
               ring_lap(ring, ticket + count) + 1)
        count++;
    return count;
}

/* Takes the tickets of up to `limit` elements. Returns how many, 0 when it is empty, or -EPIPE when
 * popping is stopped. For each the caller copies its element and calls ring_popped(). */
static inline int ring_pop_begin(struct ring *ring, size_t limit, uint64_t *ret_ticket,
                                 struct ring_signs *ret_signs)
{
    /* Acquire: "empty" is true of one moment only if tail is read after it. */
    uint64_t word = atomic_load_explicit(&ring->head, memory_order_acquire);
    unsigned turns = 0;

    ret_signs->tell = ret_signs->tight = false;

    for (;;) {
        uint64_t ticket = word / RING_ONE;
        size_t count;

        if (word & RING_STOP)
            return -EPIPE;
        count = ring_filled(ring, ticket, limit);
        if (count == 0) {
            uint64_t tail = atomic_load(&ring->tail) / RING_ONE, now = atomic_load(&ring->head);

            if (now == word && tail == ticket)
                return 0;
            if (now == word)
                ring_relax(&turns);
            word = now;
        } else if (atomic_compare_exchange_weak(&ring->head, &word, word + count * RING_ONE)) {
            *ret_ticket = ticket;
            ret_signs->tell = word & RING_TELL;
            ret_signs->tight = ring_filled(ring, ticket + count, 1) == 0;
            return (int)count;
        }
    }
}

static inline void ring_popped(const struct ring *ring, struct ring_cell *cell, uint64_t ticket)
{
    atomic_store_explicit(&cell->number, ring_lap(ring, ticket) + ring->mask + 1,
                          memory_order_release);
}

/* An element in or out. */
static inline void ring_copy(const struct ring *ring, void *target, const void *source)
{
    if (ring->element_size == sizeof(uint64_t))
        memcpy(target, source, sizeof(uint64_t));
    else
        memcpy(target, source, ring->element_size);
}

/* One element in. `size` is the ring's element size, given where a compiler knows it. As
 * ring_push_begin(). */
static inline int ring_push(struct ring *ring, const void *element, size_t size,
                            struct ring_signs *ret_signs)
{
    struct ring_cell *cell;
    uint64_t ticket = 0;
    int r = ring_push_begin(ring, &cell, &ticket, ret_signs);

    if (r < 0)
        return r;
    memcpy(cell->element, element, size);
    ring_pushed(ring, cell, ticket);
    return 0;
}

/* One element out; NULL drops it. Returns 0, -EAGAIN when it is empty, or -EPIPE. */
static inline int ring_pop(struct ring *ring, void *ret_element, size_t size,
                           struct ring_signs *ret_signs)
{
    uint64_t ticket = 0;
    int r = ring_pop_begin(ring, 1, &ticket, ret_signs);
    struct ring_cell *cell;

    if (r <= 0)
        return r == 0 ? -EAGAIN : r;
    cell = ring_cell(ring, ticket);
    if (ret_element)
        memcpy(ret_element, cell->element, size);
    ring_popped(ring, cell, ticket);
    return 0;
}

/* Where the tail is stopped, and a lock lets in one at a time, he can still push with this. There
 * is room. */
static inline void ring_push_stopped(struct ring *ring, const void *element)
{
    uint64_t word = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t ticket = word / RING_ONE;
    struct ring_cell *cell = ring_cell(ring, ticket);
    unsigned turns = 0;

    while (atomic_load_explicit(&cell->number, memory_order_acquire) != ring_lap(ring, ticket))
        ring_relax(&turns);
    ring_copy(ring, cell->element, element);
    ring_pushed(ring, cell, ticket);
    atomic_store(&ring->tail, word + RING_ONE);
}

/* How many are inside, or on their way in or out. Head is read first: while others push and pop it
 * may be too many, even more than the capacity, and never too few, so nobody sleeps by it for want
 * of an element that is there. Who sleeps for want of room has set RING_TELL: every pop that it did
 * not count comes after that, and is told. */
static inline size_t ring_length(const struct ring *ring)
{
    uint64_t head = atomic_load(&ring->head) / RING_ONE;
    uint64_t tail = atomic_load(&ring->tail) / RING_ONE;

    return (int64_t)(tail - head) > 0 ? (size_t)(tail - head) : 0;
}

/* How many were ever pushed. */
static inline uint64_t ring_pushes(const struct ring *ring)
{
    return atomic_load(&ring->tail) / RING_ONE;
}

#endif
