/* SPDX-License-Identifier: MIT */
/* One name in the `after` or `requires` of a unit's settings, and the unit that it leads to. */
#ifndef REEVE_DAEMON_UNIT_DEPENDENCY_H
#define REEVE_DAEMON_UNIT_DEPENDENCY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct config_module;
struct unit;

struct dependency {
    struct list list; /* in the dependents of `to` */
    struct unit *from;
    struct unit *to;  /* NULL: no unit has that name */
    const char *name; /* of the settings of `from` */
    bool requires;    /* or merely `after` */
};

/* Those of these settings, not linked yet. Returns 0 or -ENOMEM. */
int dependencies_create(struct unit *from, const struct config_module *settings,
                        struct dependency **ret_edges, size_t *ret_count);
void dependencies_free(struct dependency *edges, size_t count);

/* Nobody leads any more to the unit that has these dependents. */
void dependencies_unlink(struct list *dependents);

#endif
