/* SPDX-License-Identifier: MIT */
/* Where this reeved finds its parts: installed, or in the tree that it was built in. */
#ifndef REEVE_DAEMON_START_PLACES_H
#define REEVE_DAEMON_START_PLACES_H

#include <limits.h>

#include "settings/build_tree.h"
#include "settings/config.h"

struct places {
    char program[PATH_MAX]; /* of this reeved, as it was started: what an upgrade executes */
    const char *host_program;
    struct build_tree tree; /* of a reeved that is not installed */
    struct config_places config;
};

/* Returns 0 or a negative errno. The strings in it live as long as it does and must not move. */
int places_find(struct places *ret_places);

/* Makes the runtime and state directories where they are missing. Errors are logged. Returns 0 or a
 * negative errno. */
int places_prepare(const struct places *places);

/*
 * Takes the state directory for this reeved alone; a second one in it would run every task twice.
 * Returns a descriptor that holds it until it is closed, in this program or the one that an upgrade
 * executes; -EBUSY, which is logged with the pid of the other; or -1 when the file system cannot
 * say, which is a warning.
 */
int places_lock(const struct places *places);

/*
 * Waits until the hosts of a reeved that was killed have ended: they end their commands first, and
 * would else run beside ours. Blocks for up to half a minute. Returns 0, or -ETIMEDOUT, which is
 * logged.
 */
int places_await_hosts(const struct places *places);

#endif
