/* SPDX-License-Identifier: MIT */
/*
 * The order among units: `after` and `requires`, forwards for starts and backwards for stops.
 *
 * Each unit has an edge for every name in its two lists. Edges point to units, and are found again
 * from there, so that no question costs more than the edges that it concerns.
 */
#ifndef REEVE_DAEMON_UNIT_DEPENDENCIES_H
#define REEVE_DAEMON_UNIT_DEPENDENCIES_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/unit/unit.h"

struct units;

/* To be called when units or their settings have changed. Edges lead to the unit that is configured
 * under a name, and to one that is being removed only where there is no other. */
void dependencies_link(struct units *units);

/* The wait of a unit in UNIT_WAITING, and (unless NULL) the unit at the end of it: NULL when it may
 * start, when it waits for a name that nobody has, and (WAIT_MOVES) when only the last process of
 * its host is in the way. */
enum dependencies_wait dependencies_wait(struct unit *unit, const struct unit **ret_culprit);

/* The same in words, or "": "waits for module a, which is failed: init failed". */
void dependencies_describe_wait(struct unit *unit, char *buffer, size_t size);

/* One that the unit requires and that is not ready, or is about to go down; NULL: all are there. */
const struct unit *dependencies_missing(const struct unit *unit);

/*
 * Whether any that require the unit run, in whatever state: it cannot go yet. A host of another
 * wire version only ends as a whole, so for a unit in one those count that require any in it from
 * outside.
 */
bool dependencies_is_used(const struct unit *unit);

/* Whether all that come after the unit, or require it, are down. */
bool dependencies_may_stop(const struct unit *unit);

/*
 * Of units that wait for each other to stop (fn says which wait), the one to go first although it
 * is used; NULL when none waits, or when something is on its way, after which they are looked at
 * again. The edges of what leaves are those of an older configuration: with the new ones they may
 * make a circle. Hosts of another wire version, which end as a whole, make one, too.
 */
struct unit *dependencies_untie(struct units *units, bool (*fn)(const struct unit *unit));

/* Calls act for each unit that requires this one directly. act may set goals, and nothing else. */
void dependencies_each_requirer(struct unit *unit, void (*act)(struct unit *requirer, void *arg),
                                void *arg);

#endif
