/* SPDX-License-Identifier: MIT */
#include "lib/ring.h"

#include <stdlib.h>

int ring_init(struct ring *ring, size_t element_size, size_t capacity)
{
    /* With one cell the number for "filled" would be that for "free for the next lap". */
    size_t cells = 2, size;

    if (capacity == 0 || capacity > SIZE_MAX / 4 || element_size > SIZE_MAX / 4)
        return -EINVAL;
    while (cells < capacity)
        cells *= 2;
    ring->cell_size = (sizeof(struct ring_cell) + element_size + 7) & ~(size_t)7;
    if (__builtin_mul_overflow(cells, ring->cell_size, &size))
        return -EINVAL;
    ring->cells = calloc(1, size);
    if (!ring->cells)
        return -ENOMEM;
    ring->element_size = element_size;
    ring->mask = cells - 1;
    atomic_init(&ring->capacity, (int64_t)capacity);
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    atomic_init(&ring->head_seen, 0);
    return 0;
}

void ring_finish(struct ring *ring)
{
    free(ring->cells);
}
