/* SPDX-License-Identifier: MIT */
/*
 * Notices that the time of day was set: by a person, by a time service that steps, or by waking from
 * suspend. Costs a thread that is blocked in a read, once somebody has asked, and nothing before.
 */
#ifndef REEVE_HOST_WALL_CLOCK_H
#define REEVE_HOST_WALL_CLOCK_H

struct wall_clock;

/* Calls fn, on a thread that belongs to no module, whenever the time of day was set. It must not
 * block. Returns 0, -ENOMEM, or -EAGAIN without a thread or descriptor for it. */
int wall_clock_watch(void (*fn)(void *arg), void *arg, struct wall_clock **ret_watch);

/* Waits for a call that is under way. NULL does nothing. */
void wall_clock_forget(struct wall_clock *watch);

#endif
