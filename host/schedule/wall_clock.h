/* SPDX-License-Identifier: MIT */
/*
 * Notices that the time of day was set: by a person, by a time service that steps, or by waking
 * from suspend; and tells when to look whether the machine's zone, or the tables of zones, have
 * changed: once a minute, as they do so without a word, and whenever the supervisor says so. Costs
 * a thread that waits, once somebody has asked, and nothing before.
 */
#ifndef REEVE_HOST_SCHEDULE_WALL_CLOCK_H
#define REEVE_HOST_SCHEDULE_WALL_CLOCK_H

#include <stdbool.h>

struct wall_clock;

/* Calls fn, on the one thread that belongs to no module: first soon after this, and whenever the
 * time of day was set; and with was_set = false when zones are to be looked at. It may read a small
 * file, and must not block otherwise. Returns 0, -ENOMEM, or -EAGAIN without a thread or descriptor
 * for it. */
int wall_clock_watch(void (*fn)(bool was_set, void *arg), void *arg, struct wall_clock **ret_watch);

/* Waits for a call that is under way. NULL does nothing. */
void wall_clock_forget(struct wall_clock *watch);

/* All are called soon, as a zone may have changed. Does not block. */
void wall_clock_look(void);

#endif
