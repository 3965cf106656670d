/* SPDX-License-Identifier: MIT */
/*
 * How many units begin to start, or to stop, at once. A thousand hosts that are told to at the same
 * moment run all together, and on a machine that shares its processors fairly reeved then gets a
 * thousandth of them: it answers no probe for as long as that lasts. They would not be done sooner
 * either.
 *
 * A unit counts until it has left the state that it began, but no longer than for a moment: one
 * that takes its time waits for something else than a processor, and holds up nobody.
 */
#ifndef REEVE_DAEMON_CONTROL_PACE_H
#define REEVE_DAEMON_CONTROL_PACE_H

#include <stdbool.h>

#include "base/list.h"

struct loop;
struct loop_timer;
struct unit;

struct pace {
    struct list under_way; /* units, the oldest first */
    unsigned count;
    unsigned processors;
    struct loop_timer *timer; /* calls again when somebody found no room */
};

/* again: there is room that was missing. Returns 0 or -ENOMEM. */
int pace_init(struct pace *pace, struct loop *loop, void (*again)(void *arg), void *arg);
void pace_finish(struct pace *pace);

/* Whether one more may begin now beside so many for each processor; if not, again() is called once
 * that may have changed without a unit's doing. */
bool pace_has_room(struct pace *pace, unsigned per_processor);
void pace_begin(struct pace *pace, struct unit *unit);
/* The unit is in another state, or goes away. */
void pace_end(struct pace *pace, struct unit *unit);

#endif
