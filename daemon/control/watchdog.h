/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own eye on hosts that cannot report for themselves: stopped, starved, or with a
 * runtime that is broken. Hosts publish until when each task may be busy; one timer is armed for
 * the earliest of these, and when it has passed and the task is still at it, the host is killed.
 */
#ifndef REEVE_DAEMON_CONTROL_WATCHDOG_H
#define REEVE_DAEMON_CONTROL_WATCHDOG_H

#include <stdint.h>

struct units;
struct watchdog;

int watchdog_create(struct units *units, struct watchdog **ret_watchdog);
void watchdog_destroy(struct watchdog *watchdog);

/* Looks at all scoreboards and arms the timer. To be called when a host may have begun something
 * with an earlier limit than any before. */
void watchdog_update(struct watchdog *watchdog);

/* Takes into the last_runs how far schedules have come. watchdog_update() does so as well. */
void watchdog_note_schedules(struct watchdog *watchdog);

/* A host says that something may hang from a time on; it is looked at then, and what it publishes
 * of later ones is found there. */
void watchdog_expect(struct watchdog *watchdog, int64_t time);

#endif
