/* SPDX-License-Identifier: MIT */
/* The order among units: `after` and `requires`, forwards for starts and backwards for stops. */
#ifndef REEVE_SUPERVISOR_TREE_H
#define REEVE_SUPERVISOR_TREE_H

#include <stdbool.h>

struct unit;

/*
 * Whether all that the unit requires is ready, and all that it comes after is ready or will not be:
 * one that failed or is stopped holds up nobody who only comes after it.
 */
bool tree_may_start(const struct unit *unit);

/* Whether the unit requires the other directly. */
bool tree_requires(const struct unit *unit, const struct unit *other);

/* Whether all that come after the unit, or require it, are down. */
bool tree_may_stop(const struct unit *unit);

/* The unit is no longer ready: those that require it are stopped, to start again after it. */
void tree_restart_requirers(struct unit *unit);

#endif
