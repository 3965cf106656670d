/* SPDX-License-Identifier: MIT */
#include "lib/ring.h"

#include <errno.h>
#include <stdlib.h>

int ring_init(struct ring *ring, size_t element_size, size_t capacity)
{
    size_t places = 1, size;

    if (element_size == 0 || capacity == 0 || capacity > SIZE_MAX / 4)
        return -EINVAL;
    ring->shift = 0;
    while (places < capacity) {
        places *= 2;
        ring->shift++;
    }
    if (__builtin_mul_overflow(places, element_size, &size) || size > SIZE_MAX / 4)
        return -EINVAL;
    ring->marks = calloc(places, 1);
    /* Whole lines, and no zeroes: those would make every page. */
    ring->elements = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
    if (!ring->marks || !ring->elements) {
        ring_finish(ring);
        return -ENOMEM;
    }
    ring->element_size = element_size;
    ring->mask = places - 1;
    atomic_init(&ring->capacity, (int64_t)capacity);
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    atomic_init(&ring->head_seen, 0);
    atomic_init(&ring->tell_pushes, 0);
    atomic_init(&ring->tell_pops, 0);
    return 0;
}

void ring_finish(struct ring *ring)
{
    free(ring->marks);
    free(ring->elements);
    ring->marks = NULL;
    ring->elements = NULL;
}
