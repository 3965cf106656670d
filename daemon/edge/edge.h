/* SPDX-License-Identifier: MIT */
/*
 * What the outside sees: HTTP for probes, the control socket for operators, systemd. All of it
 * reads one snapshot, and only the control socket can change anything.
 */
#ifndef REEVE_EDGE_EDGE_H
#define REEVE_EDGE_EDGE_H

#include "daemon/supervisor/supervisor.h"

struct edge;
struct loop;

/*
 * Binds the listening addresses and the control socket of the configuration. Errors are logged with
 * what to do about them. Returns 0 or a negative errno.
 */
int edge_create(struct loop *loop, const struct config *config, struct edge **ret_edge);
void edge_destroy(struct edge *edge);

/* Tells systemd, for `systemctl status`, why there is no daemon. */
void edge_tell_failure(const char *text);

/* Begins to answer; before it, connections wait in the backlog. The supervisor must outlive it. */
void edge_attach(struct edge *edge, struct supervisor *supervisor);

/* To be passed every event of the supervisor. */
void edge_observe(struct edge *edge, enum supervisor_event event);

/* The supervisor has stopped: answers what is under way, closes, and calls done. */
void edge_drain(struct edge *edge, void (*done)(void *arg), void *arg);

#endif
