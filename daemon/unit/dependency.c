/* SPDX-License-Identifier: MIT */
#include "daemon/unit/dependency.h"

#include <errno.h>
#include <stdlib.h>

#include "settings/config.h"

static void add_edges(struct dependency *edges, size_t *count, struct unit *from,
                      const struct strings *names, bool requires)
{
    for (size_t i = 0; i < names->count; i++) {
        struct dependency *edge = &edges[(*count)++];

        *edge = (struct dependency){.from = from, .name = names->items[i], .requires = requires};
        list_init(&edge->list);
    }
}

int dependencies_create(struct unit *from, const struct config_module *settings,
                        struct dependency **ret_edges, size_t *ret_count)
{
    size_t most = settings->requires.count + settings->after.count;
    struct dependency *edges = calloc(MAX(most, 1U), sizeof(*edges));

    if (!edges)
        return -ENOMEM;
    *ret_count = 0;
    add_edges(edges, ret_count, from, &settings->requires, true);
    add_edges(edges, ret_count, from, &settings->after, false);
    *ret_edges = edges;
    return 0;
}

void dependencies_free(struct dependency *edges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        list_remove(&edges[i].list);
    free(edges);
}

void dependencies_unlink(struct list *dependents)
{
    struct dependency *edge, *next;

    LIST_FOREACH_SAFE (edge, next, dependents, list) {
        edge->to = NULL;
        list_remove(&edge->list);
    }
}
