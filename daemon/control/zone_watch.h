/* SPDX-License-Identifier: MIT */
/*
 * Notices that the machine was moved to another time zone: /etc/localtime is another file. One
 * watch for all hosts, as descriptors for such are few. Hosts look by themselves once a minute;
 * this only makes it soon.
 */
#ifndef REEVE_DAEMON_CONTROL_ZONE_WATCH_H
#define REEVE_DAEMON_CONTROL_ZONE_WATCH_H

struct units;
struct zone_watch;

/* Returns 0 or -ENOMEM. Where the kernel has no watch to give, that is told, and no error. */
int zone_watch_create(struct units *units, struct zone_watch **ret_watch);
void zone_watch_destroy(struct zone_watch *watch);

/* Watches no more, and does not wait for the kernel to be done with it. Hosts still look once a
 * minute. */
void zone_watch_end(struct zone_watch *watch);

/* All hosts look at the zone now. */
void zone_watch_tell(struct zone_watch *watch);

#endif
