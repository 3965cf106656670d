/* SPDX-License-Identifier: MIT */
/* Takes a snapshot: the scoreboards of all hosts are read, and health is judged. */
#ifndef REEVE_DAEMON_CONTROL_SNAPSHOT_TAKE_H
#define REEVE_DAEMON_CONTROL_SNAPSHOT_TAKE_H

#include "daemon/control/snapshot.h"

/* Takes one. Returns 0 or -ENOMEM. */
int snapshot_take(struct supervisor *supervisor, struct snapshot **ret_snapshot);
/* Takes one in which only the module of that name is looked at: it costs the same however many
 * there are. Without it, it has no module. Its members about the whole do not hold then. Returns 0
 * or -ENOMEM. */
int snapshot_take_one(struct supervisor *supervisor, const char *name,
                      struct snapshot **ret_snapshot);

/* Whether it is too old to be shown: something has changed since, or time has. */
bool snapshot_is_stale(const struct snapshot *snapshot, const struct supervisor *supervisor);

#endif
