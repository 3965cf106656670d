/* SPDX-License-Identifier: MIT */
/*
 * Telling systemd, without ever waiting for it: sd_notify(3) blocks when nobody reads and the
 * socket's queue is full, and a supervisor that waits there answers no probe and stops for nobody.
 *
 * A message that may be lost is lost then: a ping of the watchdog. Of what only counts in its
 * newest form that is kept: the status, an extension of a timeout. Those that must not be lost are
 * kept in order, and tried again: READY, RELOADING, STOPPING.
 */
#ifndef REEVE_DAEMON_EDGE_SYSTEMD_NOTIFY_H
#define REEVE_DAEMON_EDGE_SYSTEMD_NOTIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct notify;

/* Without NOTIFY_SOCKET all of it does nothing. Returns 0 or -ENOMEM. */
int notify_create(struct loop *loop, struct notify **ret_notify);
void notify_destroy(struct notify *notify);

/* Whether there is somebody to be told. */
bool notify_is_used(const struct notify *notify);

void notify_ready(struct notify *notify);
/* A reload begins, at this time on the monotonic clock: READY is to follow. */
void notify_reloading(struct notify *notify, int64_t now);
void notify_stopping(struct notify *notify);
void notify_status(struct notify *notify, const char *text);
/* systemd's timeout of what is under way is over in so many ns from now, and no earlier. */
void notify_extend(struct notify *notify, int64_t time);
void notify_ping(struct notify *notify);

/* The messages that have not been told yet, for the program that an upgrade executes. NULL: no
 * memory. */
json_t *notify_save(const struct notify *notify);
void notify_resume(struct notify *notify, const json_t *state);

/* A status, from a program that has no loop and ends: waits for a second at most. */
void notify_last_words(const char *text);

#endif
