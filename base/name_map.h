/* SPDX-License-Identifier: MIT */
/* Things by their names: a hash table that only grows. Zero-initialised it is empty. Names are the
 * caller's, and must stay as long as they are in it. */
#ifndef REEVE_BASE_NAME_MAP_H
#define REEVE_BASE_NAME_MAP_H

#include <stddef.h>

struct name_map {
    struct name_map_item {
        const char *name; /* NULL: a free place */
        void *value;
    } *items;
    size_t size; /* 0, or a power of two above count */
    size_t count;
};

/* The name must not be in it. Returns 0 or -ENOMEM. */
int name_map_add(struct name_map *map, const char *name, void *value);
/* NULL: there is none of that name. */
void *name_map_find(const struct name_map *map, const char *name);
void name_map_free(struct name_map *map);

#endif
