/* SPDX-License-Identifier: MIT */
/*
 * Live upgrade: the program of this process is replaced by the one that now lies where it was
 * started from, and everything else stays: the pid, the listening sockets, connections, and the
 * hosts.
 *
 *     waiting    until nothing moves: no reload, no module on its way
 *     checking   the new program reads the present state, in a process of its own
 *     holding    no further request is read; those under way are answered
 *     exec       with the state, as it is then, in a memfd
 *
 * Until the exec everything can go wrong without harm: whoever asked is told, and things go on.
 */
#ifndef REEVE_DAEMON_UPGRADE_UPGRADE_H
#define REEVE_DAEMON_UPGRADE_UPGRADE_H

#include "daemon/edge/edge.h"

struct loop;
struct upgrade;

struct upgrade_options {
    const char *program;     /* what is executed: where its path leads by then */
    const char *config_path; /* for the new program's arguments */
    int lock; /* of the state directory, which the new program goes on to hold; or -1 */
    struct loop *loop;
    struct edge *edge;
    struct supervisor *supervisor;
};

/* All pointers of the options must outlive it. Returns 0 or a negative errno. */
int upgrade_create(const struct upgrade_options *options, struct upgrade **ret_upgrade);
/* Everybody who waits is told that reeved stops. NULL does nothing. */
void upgrade_destroy(struct upgrade *upgrade);

/* Begins one, or joins the one that is under way. done, which may be NULL, is called once. */
void upgrade_begin(struct upgrade *upgrade, edge_upgrade_fn done, void *arg);

#endif
