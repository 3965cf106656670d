/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow by an item at a time. They double, so that n items cost n copies: to ask for one
 * more each time costs n * n wherever an allocator cannot grow a block in place. The capacity is
 * not stored; it follows from the count.
 */
#ifndef REEVE_BASE_ARRAY_H
#define REEVE_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* How many items an array of `count` has room for: a power of two. */
static inline size_t array_capacity(size_t count)
{
    size_t capacity = 1;

    while (capacity < count)
        capacity *= 2;
    return capacity;
}

/*
 * Makes room for one item more behind `count` of `size` bytes; `items` is NULL, or was grown by
 * this function or allocated with array_capacity(count) items. Returns the array, which may have
 * moved; NULL when out of memory, and then `items` is as before.
 */
static inline void *array_grow(void *items, size_t count, size_t size)
{
    bool full = !items || array_capacity(count) == count;

    return full ? reallocarray(items, array_capacity(count + 1), size) : items;
}

#endif
