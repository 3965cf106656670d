/* SPDX-License-Identifier: MIT */
/*
 * A bounded ring for many pushers and many poppers without a lock: the fast path of pools, channels
 * and groups, which decide with a lock of their own what it does not.
 *
 * Properties: elements come out in the order of their tickets, each once. At most `capacity` are
 * inside. A push that finds RING_STOP does nothing; a push or pop that finds RING_TELL on its word
 * is done, and its caller is told, if it brings tail to `tell_pushes`, or head to `tell_pops`.
 *
 * Operation: `tail` counts pushes, `head` counts pops, both above two flags. Elements lie side by
 * side; each has a mark, a byte of an array of its own: free, or filled, in the lap of its ticket.
 * To push is to move tail up by compare-and-swap, over marks that are free, to fill the elements
 * and to mark them; to pop is to move head up over marks that are filled, to copy the elements and
 * to mark them as free for the next lap. Several tickets can be taken at once. So pushers and
 * poppers touch no common word but marks and elements, as long as the ring is neither full nor
 * empty as far as they know (head_seen), and what passes between two processors is a line of marks
 * for 64 elements beside the elements themselves. Pages that no element has reached are never made.
 *
 * Safety: as flags and tickets share a word, setting a flag falls either before a push, which then
 * sees it, or after, and then who has set it sees the new ticket: no third party needs a fence to
 * agree on who has to act. For that both are read-modify-writes of the word, and all looks at tail
 * and head that decide something are sequentially consistent: who has set a flag and looks cannot
 * read an older ticket. An element is published by the release of its mark and seen by the acquire
 * of that; so is that its place is free again. A mark counts laps modulo 128: a place that is not
 * popped, or not filled, holds up every ticket of the next lap, so only neighbouring laps are ever
 * compared. head_seen may be behind, also go back; it only says "not full", and the mark has the
 * last word. tell_pushes and tell_pops are stored before RING_TELL is set (again, if it was), and
 * read after a push or pop that has seen the flag, so none after that goes by an older one. A
 * thread that sees a ticket whose mark is not ready waits for it: its owner has only the copies of
 * its elements left to do, but may have lost its processor while at it, so the waiter sleeps after
 * a few looks. Idea: D. Vyukov, "Bounded MPMC queue".
 */
#ifndef REEVE_LIB_RING_H
#define REEVE_LIB_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "lib/attempt.h"
#include "lib/relax.h"

#define RING_STOP UINT64_C(1)
#define RING_TELL UINT64_C(2)
#define RING_ONE  UINT64_C(4)

#define RING_AHEAD 32 /* elements to fetch before they are needed */

#define RING_FEW 8

#define CACHE_LINE 64

/* Values that pass between the functions below stay in registers only where they are one. */
#define RING_INLINE static inline __attribute__((always_inline))

struct ring {
    _Atomic uint8_t *marks;
    unsigned char *elements;
    size_t element_size;
    uint64_t mask;            /* of tickets, to a place: their number is a power of two */
    unsigned shift;           /* of tickets, to a lap */
    _Atomic int64_t capacity; /* what may be inside; may fall and rise while in use */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail;
    _Atomic uint64_t head_seen;   /* a ticket that head has reached */
    _Atomic uint64_t tell_pushes; /* a ticket */
    _Alignas(CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint64_t tell_pops; /* a ticket */
};

/* The findings of an operation on the way. */
struct ring_signs {
    bool tell; /* RING_TELL was set */
    bool
        tight; /* the other side is only a few places away: who comes back at once meets it there */
};

/* Tickets that an operation has taken. */
struct ring_span {
    uint64_t ticket;
    size_t count;
};

/* Returns 0, -EINVAL when it is too large, or -ENOMEM. */
int ring_init(struct ring *ring, size_t element_size, size_t capacity);
void ring_finish(struct ring *ring);

static inline _Atomic uint8_t *ring_mark(const struct ring *ring, uint64_t ticket)
{
    return &ring->marks[ticket & ring->mask];
}

static inline unsigned char *ring_element(const struct ring *ring, uint64_t ticket, size_t size)
{
    return ring->elements + (ticket & ring->mask) * size;
}

static inline uint8_t ring_free(const struct ring *ring, uint64_t ticket)
{
    return (uint8_t)(2 * (ticket >> ring->shift));
}

/* How many marks from this ticket on are free, or filled (1), in their laps, up to a limit. */
RING_INLINE size_t ring_marked(const struct ring *ring, uint64_t ticket, size_t limit, int filled)
{
    size_t count = 0;

    while (count < limit &&
           atomic_load_explicit(ring_mark(ring, ticket + count), memory_order_acquire) ==
               (uint8_t)(ring_free(ring, ticket + count) + filled))
        count++;
    return count;
}

/* How many more there is room for as seen by a push with this ticket; `wanted` at most. *ret_tight:
 * there was none but for a few pops that have just been. */
RING_INLINE size_t ring_room(struct ring *ring, uint64_t ticket, size_t wanted, bool *ret_tight)
{
    int64_t capacity = atomic_load_explicit(&ring->capacity, memory_order_relaxed);
    uint64_t seen = atomic_load_explicit(&ring->head_seen, memory_order_relaxed), head;
    int64_t room = capacity - (int64_t)(ticket - seen);

    if (room < (int64_t)wanted) {
        head = atomic_load(&ring->head) / RING_ONE;
        atomic_store_explicit(&ring->head_seen, head, memory_order_relaxed);
        *ret_tight = room <= 0 && head - seen < RING_FEW;
        room = capacity - (int64_t)(ticket - head);
    }
    return room <= 0 ? 0 : MIN((size_t)room, wanted);
}

static inline bool ring_is_due(const _Atomic uint64_t *from, uint64_t ticket)
{
    return (int64_t)(ticket - atomic_load_explicit(from, memory_order_relaxed)) >= 0;
}

/* Takes tickets for up to `wanted` pushes. Returns ATTEMPT_BLOCKED when it is full, ATTEMPT_CLOSED
 * when it is stopped. The caller copies its elements in and calls ring_pushed(). */
RING_INLINE enum attempt ring_push_begin(struct ring *ring, size_t wanted,
                                         struct ring_span *ret_span, struct ring_signs *ret_signs)
{
    /* Acquire: "full" is true of one moment only if head is read after it. */
    uint64_t word = atomic_load_explicit(&ring->tail, memory_order_acquire);
    unsigned turns = 0;

    ret_signs->tell = ret_signs->tight = false;

    for (;;) {
        uint64_t ticket = word / RING_ONE;
        size_t count;

        if (word & RING_STOP)
            return ATTEMPT_CLOSED;
        count = ring_room(ring, ticket, wanted, &ret_signs->tight);
        if (count == 0) {
            uint64_t now = atomic_load(&ring->tail);

            if (now == word)
                return ATTEMPT_BLOCKED;
            word = now;
            continue;
        }
        count = ring_marked(ring, ticket, count, 0);
        if (count == 0) {
            /* Somebody else has the ticket, or the last lap's element is about to be gone. */
            relax_for_other(&turns);
            word = atomic_load_explicit(&ring->tail, memory_order_acquire);
        } else if (atomic_compare_exchange_weak(&ring->tail, &word, word + count * RING_ONE)) {
            *ret_span = (struct ring_span){ticket, count};
            ret_signs->tell = (word & RING_TELL) && ring_is_due(&ring->tell_pushes, ticket + count);
            return ATTEMPT_DONE;
        }
    }
}

RING_INLINE void ring_pushed(const struct ring *ring, const struct ring_span *span)
{
    for (size_t i = 0; i < span->count; i++)
        atomic_store_explicit(ring_mark(ring, span->ticket + i),
                              (uint8_t)(ring_free(ring, span->ticket + i) + 1),
                              memory_order_release);
}

/* Takes the tickets of up to `limit` elements. Returns ATTEMPT_BLOCKED when it is empty. The caller
 * copies its elements out and calls ring_popped(). */
RING_INLINE enum attempt ring_pop_begin(struct ring *ring, size_t limit, struct ring_span *ret_span,
                                        struct ring_signs *ret_signs)
{
    /* Acquire: "empty" is true of one moment only if tail is read after it. */
    uint64_t word = atomic_load_explicit(&ring->head, memory_order_acquire);
    unsigned turns = 0;

    ret_signs->tell = ret_signs->tight = false;

    for (;;) {
        uint64_t ticket = word / RING_ONE;
        size_t count = ring_marked(ring, ticket, limit, 1);

        if (count == 0) {
            uint64_t tail = atomic_load(&ring->tail) / RING_ONE, now = atomic_load(&ring->head);

            if (now == word && tail == ticket)
                return ATTEMPT_BLOCKED;
            if (now == word)
                relax_for_other(&turns);
            word = now;
        } else if (atomic_compare_exchange_weak(&ring->head, &word, word + count * RING_ONE)) {
            *ret_span = (struct ring_span){ticket, count};
            ret_signs->tell = (word & RING_TELL) && ring_is_due(&ring->tell_pops, ticket + count);
            ret_signs->tight = ring_marked(ring, ticket + count, 1, 1) == 0;
            return ATTEMPT_DONE;
        }
    }
}

RING_INLINE void ring_popped(const struct ring *ring, const struct ring_span *span)
{
    for (size_t i = 0; i < span->count; i++)
        atomic_store_explicit(ring_mark(ring, span->ticket + i),
                              (uint8_t)(ring_free(ring, span->ticket + i) + 2),
                              memory_order_release);
}

/* How many elements of a span lie side by side before the ring begins anew. */
static inline size_t ring_unbroken(const struct ring *ring, const struct ring_span *span)
{
    return MIN(span->count, (size_t)(ring->mask + 1 - (span->ticket & ring->mask)));
}

static inline void ring_copy_in(const struct ring *ring, const struct ring_span *span,
                                const void *elements)
{
    size_t size = ring->element_size, first = ring_unbroken(ring, span) * size;

    memcpy(ring_element(ring, span->ticket, size), elements, first);
    memcpy(ring->elements, (const unsigned char *)elements + first, span->count * size - first);
}

static inline void ring_copy_out(const struct ring *ring, const struct ring_span *span,
                                 void *ret_elements)
{
    size_t size = ring->element_size, first = ring_unbroken(ring, span) * size;

    memcpy(ret_elements, ring_element(ring, span->ticket, size), first);
    memcpy((unsigned char *)ret_elements + first, ring->elements, span->count * size - first);
}

/* An element from one place to another. */
static inline void ring_copy(const struct ring *ring, void *target, const void *source)
{
    if (ring->element_size == sizeof(uint64_t))
        memcpy(target, source, sizeof(uint64_t));
    else
        memcpy(target, source, ring->element_size);
}

/* One element in. `size` is the ring's element size, given where a compiler knows it. As
 * ring_push_begin(). */
RING_INLINE enum attempt ring_push(struct ring *ring, const void *element, size_t size,
                                   struct ring_signs *ret_signs)
{
    struct ring_span span;
    enum attempt r = ring_push_begin(ring, 1, &span, ret_signs);

    if (r != ATTEMPT_DONE)
        return r;
    memcpy(ring_element(ring, span.ticket, size), element, size);
    span.count = 1;
    ring_pushed(ring, &span);
    /* The last lap's popper had the line; it is on its way before its turn comes. */
    __builtin_prefetch(ring_element(ring, span.ticket + RING_AHEAD, size), 1);
    return ATTEMPT_DONE;
}

/* One element out; NULL drops it. As ring_pop_begin(). */
RING_INLINE enum attempt ring_pop(struct ring *ring, void *ret_element, size_t size,
                                  struct ring_signs *ret_signs)
{
    struct ring_span span;
    enum attempt r = ring_pop_begin(ring, 1, &span, ret_signs);

    if (r != ATTEMPT_DONE)
        return r;
    if (ret_element)
        memcpy(ret_element, ring_element(ring, span.ticket, size), size);
    span.count = 1;
    ring_popped(ring, &span);
    return ATTEMPT_DONE;
}

/* Where the tail is stopped, and a lock lets in one at a time, it can still push with this. There
 * is room. */
static inline void ring_push_stopped(struct ring *ring, const void *element)
{
    uint64_t word = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct ring_span span = {word / RING_ONE, 1};
    unsigned turns = 0;

    while (ring_marked(ring, span.ticket, 1, 0) == 0)
        relax_for_other(&turns);
    ring_copy(ring, ring_element(ring, span.ticket, ring->element_size), element);
    ring_pushed(ring, &span);
    atomic_store(&ring->tail, word + RING_ONE);
}

/* How many are inside, or on their way in or out. Head is read first: while others push and pop it
 * may be too many, even more than the capacity, and never too few, so nobody sleeps by it for want
 * of an element that is there. A thread that sleeps for want of room has set RING_TELL: every pop
 * that it did not count comes after that, and is told. */
static inline size_t ring_length(const struct ring *ring)
{
    uint64_t head = atomic_load(&ring->head) / RING_ONE;
    uint64_t tail = atomic_load(&ring->tail) / RING_ONE;

    return (int64_t)(tail - head) > 0 ? (size_t)(tail - head) : 0;
}

/* Pushes that bring tail to this ticket, and later ones, are told from now on. */
static inline void ring_tell_of_pushes(struct ring *ring, uint64_t ticket)
{
    atomic_store_explicit(&ring->tell_pushes, ticket, memory_order_relaxed);
    atomic_fetch_or(&ring->tail, RING_TELL);
}

/* The same of pops and head. */
static inline void ring_tell_of_pops(struct ring *ring, uint64_t ticket)
{
    atomic_store_explicit(&ring->tell_pops, ticket, memory_order_relaxed);
    atomic_fetch_or(&ring->head, RING_TELL);
}

/* How many were ever popped. */
static inline uint64_t ring_pops(const struct ring *ring)
{
    return atomic_load(&ring->head) / RING_ONE;
}

/* How many were ever pushed. */
static inline uint64_t ring_pushes(const struct ring *ring)
{
    return atomic_load(&ring->tail) / RING_ONE;
}

#endif
