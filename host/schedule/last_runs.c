/* SPDX-License-Identifier: MIT */
#include "host/schedule/last_runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static struct last_run *find(const struct last_runs *runs, const char *task)
{
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->items[i].task, task) == 0)
            return &runs->items[i];
    return NULL;
}

int last_runs_set(struct last_runs *runs, const char *task, const struct schedule_past *past)
{
    struct last_run *items, *known = find(runs, task);
    char *name;

    if (known) {
        known->past = *past;
        return 0;
    }
    items = array_grow(runs->items, runs->count, sizeof(*items));
    name = strdup(task);
    if (items)
        runs->items = items;
    if (!items || !name) {
        free(name);
        return -ENOMEM;
    }
    items[runs->count++] = (struct last_run){name, *past};
    return 0;
}

struct schedule_past last_runs_find(const struct last_runs *runs, const char *task)
{
    const struct last_run *known = find(runs, task);

    return known ? known->past : (struct schedule_past){0};
}

void last_runs_free(struct last_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++)
        free(runs->items[i].task);
    free(runs->items);
    *runs = (struct last_runs){0};
}
