/* SPDX-License-Identifier: MIT */
#include "daemon/process/orphan_list.h"

#include <stdlib.h>

#include "base/clock.h"

struct orphan *orphan_find(struct list *list, pid_t pid)
{
    struct orphan *orphan;

    LIST_FOREACH (orphan, list, list)
        if (orphan->pid == pid)
            return orphan;
    return NULL;
}

void orphan_add(struct list *list, pid_t pid)
{
    struct orphan *orphan = calloc(1, sizeof(*orphan));

    if (!orphan)
        return;
    orphan->pid = pid;
    orphan->since = clock_monotonic();
    list_append(list, &orphan->list);
}

void orphan_free(struct orphan *orphan)
{
    list_remove(&orphan->list);
    free(orphan);
}
