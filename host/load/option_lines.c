/* SPDX-License-Identifier: MIT */
#include "host/load/option_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int option_lines_add(struct option_lines *lines, const char *key, const char *value,
                     const char *file, unsigned line, bool credential)
{
    struct option_line *items = array_grow(lines->items, lines->count, sizeof(*items));
    struct option_line item = {strdup(key), strdup(value), strdup(file), line, credential};

    if (items)
        lines->items = items;
    if (!items || !item.key || !item.value || !item.file) {
        free(item.key);
        free(item.value);
        free(item.file);
        return -ENOMEM;
    }
    items[lines->count++] = item;
    return 0;
}

void option_lines_free(struct option_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].key);
        explicit_bzero(lines->items[i].value, strlen(lines->items[i].value));
        free(lines->items[i].value);
        free(lines->items[i].file);
    }
    free(lines->items);
    *lines = (struct option_lines){0};
}

const struct option_line *option_lines_find(const struct option_lines *lines, const char *key)
{
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->items[i].key, key) == 0)
            return &lines->items[i];
    return NULL;
}
