/* SPDX-License-Identifier: MIT */
/*
 * Goals: which units are to go down, and which of them come up again. Operations, reloads, lost
 * requirements and the replacement of hosts all set goals, for a unit and for those that go along
 * with it; and one place, goals_reconcile(), takes the steps when their turn has come: what
 * requires a unit is down before it, and comes up after it.
 *
 * A unit whose goal is GOAL_NONE is where it should be, or on its way without waiting for anybody's
 * end.
 */
#ifndef REEVE_DAEMON_CONTROL_GOAL_H
#define REEVE_DAEMON_CONTROL_GOAL_H

#include <stdbool.h>

struct cause;
struct awaited;
struct units;
struct tenancy;
struct unit;

/*
 * All of these take the awaited that waits for it, or NULL, and the cause, which those that go
 * along quote. They only set goals, except that a unit that rests is started at once.
 */

/* The unit and all that require it go down, and stay so until a person starts them. */
void goal_down(struct unit *unit, const struct cause *cause, struct awaited *awaited);

/* The unit, and what it requires, are to be ready: whatever was to go down of them stays, or comes
 * back. */
void goal_up(struct unit *unit, const struct cause *cause, struct awaited *awaited);

/* The unit and all that require it and run are stopped and started again; those that go down for
 * good do so. Nothing happens to a unit that does not run. */
void goal_bounce(struct unit *unit, const struct cause *cause, struct awaited *awaited);

/* The unit goes down, those that require it are stopped to start again when it is back: it has
 * failed, or leaves for another host, or for good. Whether the awaited wants just that is the
 * caller's to say: only those that go along are added to it. */
void goal_fall(struct unit *unit, const struct cause *cause, struct awaited *awaited);

/* The unit is given other settings than those that it runs with. If it goes down since it has
 * failed, it comes back after that, for this cause; if a person has stopped it, what still runs of
 * it does not go on should a person start it again. */
void goal_renew(struct unit *unit, const struct cause *cause);

/* The present process of the host, if there is one, is to end: who is in it is stopped, to start
 * again in the next one. */
void goal_condemn(struct tenancy *tenancy, const struct cause *cause, struct awaited *awaited);

/* The unit may start, and nothing but the process of its host is in the way: it is condemned. */
void goal_make_room(struct unit *unit);

/* Called in each settling, before units start: takes the steps that have become possible. */
void goals_reconcile(struct units *units);

#endif
