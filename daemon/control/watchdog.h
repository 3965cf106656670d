/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own eye on hosts that cannot report for themselves: stopped, starved, or with a
 * runtime that is broken. Hosts publish until when each task may be busy; one timer is armed for
 * the earliest of these, and when it has passed and the task is still at it, the host is killed.
 */
#ifndef REEVE_DAEMON_CONTROL_WATCHDOG_H
#define REEVE_DAEMON_CONTROL_WATCHDOG_H

#include <stdint.h>

struct supervisor;
struct watch;

int watch_create(struct supervisor *supervisor, struct watch **ret_watch);
void watch_destroy(struct watch *watch);

/* Looks at all scoreboards and arms the timer. To be called when a host may have begun something
 * with an earlier limit than any before. */
void watch_update(struct watch *watch);

/* Takes into the ledger how far schedules have come. watch_update() does so as well. */
void watch_note_schedules(struct watch *watch);

/* A host says that something may hang from a time on; it is looked at then, and what it publishes of
 * later ones is found there. */
void watch_expect(struct watch *watch, int64_t time);

#endif
