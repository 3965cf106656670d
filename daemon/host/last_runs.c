/* SPDX-License-Identifier: MIT */
#include "daemon/host/last_runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int last_runs_add(struct last_runs *runs, const char *task, int64_t started)
{
    struct last_run *items = reallocarray(runs->items, runs->count + 1, sizeof(*items));
    char *name = strdup(task);

    if (items)
        runs->items = items;
    if (!items || !name) {
        free(name);
        return -ENOMEM;
    }
    items[runs->count++] = (struct last_run){name, started};
    return 0;
}

int64_t last_runs_find(const struct last_runs *runs, const char *task)
{
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->items[i].task, task) == 0)
            return runs->items[i].started;
    return 0;
}

void last_runs_free(struct last_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++)
        free(runs->items[i].task);
    free(runs->items);
    *runs = (struct last_runs){0};
}
