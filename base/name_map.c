/* SPDX-License-Identifier: MIT */
#include "base/name_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SIZE_FIRST 64

/* Where the name is, or would be. */
static struct name_map_item *find(const struct name_map *map, const char *name)
{
    size_t i = hash_text(name) & (map->size - 1);

    while (map->items[i].name && strcmp(map->items[i].name, name) != 0)
        i = (i + 1) & (map->size - 1);
    return &map->items[i];
}

static int grow(struct name_map *map)
{
    struct name_map grown = {.size = map->size > 0 ? 2 * map->size : SIZE_FIRST,
                             .count = map->count};

    grown.items = calloc(grown.size, sizeof(*grown.items));
    if (!grown.items)
        return -ENOMEM;
    for (size_t i = 0; i < map->size; i++)
        if (map->items[i].name)
            *find(&grown, map->items[i].name) = map->items[i];
    free(map->items);
    *map = grown;
    return 0;
}

int name_map_add(struct name_map *map, const char *name, void *value)
{
    if (2 * (map->count + 1) > map->size && grow(map) < 0)
        return -ENOMEM;
    *find(map, name) = (struct name_map_item){name, value};
    map->count++;
    return 0;
}

void *name_map_find(const struct name_map *map, const char *name)
{
    return map->size > 0 ? find(map, name)->value : NULL;
}

void name_map_free(struct name_map *map)
{
    free(map->items);
    *map = (struct name_map){0};
}
