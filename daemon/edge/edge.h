/* SPDX-License-Identifier: MIT */
/*
 * The side that faces outwards: HTTP for probes, the control socket for operators, systemd. All of
 * it reads one snapshot, and only the control socket can change anything.
 */
#ifndef REEVE_DAEMON_EDGE_EDGE_H
#define REEVE_DAEMON_EDGE_EDGE_H

#include "daemon/control/supervisor.h"
#include "daemon/edge/edge_record.h"
#include "daemon/serialize/fields.h"

struct edge;
struct loop;

/*
 * Binds the listening addresses and the control socket of the configuration, or takes those that
 * systemd passes (sd_listen_fds(3)): sockets named "health" take the place of the addresses, one
 * named "control" that of the control socket. Errors are logged with what to do about them. Returns
 * 0 or a negative errno.
 *
 * successor: binds nothing; edge_resume() follows.
 */
int edge_create(struct loop *loop, const struct config *config, bool successor,
                struct edge **ret_edge);
void edge_destroy(struct edge *edge);

/* Tells systemd, for `systemctl status`, why there is no daemon. */
void edge_tell_failure(const char *text);

/* Begins to answer; before it, connections wait in the backlog. The supervisor must outlive it. */
void edge_attach(struct edge *edge, struct supervisor *supervisor);

/* The function that carries out `reevectl upgrade`; it calls done once, now or later. */
void edge_set_upgrade(struct edge *edge,
                      void (*upgrade)(edge_upgrade_fn done, void *done_arg, void *arg), void *arg);
/* For the status: whether one is under way, and why the last one did not happen, "" if it did. */
void edge_upgrade_tell(struct edge *edge, bool under_way, const char *error);

/* Begins to read no further request, accepts no connection; and the opposite. */
void edge_hold(struct edge *edge);
void edge_release(struct edge *edge);
/* While held: whether every connection can be handed over. */
bool edge_is_quiet(const struct edge *edge);

/* Whether somebody waits for a run or a job: an answer that only its host can give, to whoever
 * understands it. */
bool edge_has_waiting(const struct edge *edge);

/* The state that is handed over: listeners, connections, who waits for what, the last lines of the
 * log. NULL without memory. Then descriptors are to outlive an exec, or not. */
json_t *edge_save(const struct edge *edge);
void edge_keep_descriptors(struct edge *edge, bool keep);

/* Whether what was saved can be read. Returns 0 or -EBADMSG. */
int edge_check_state(const json_t *state, struct serialize_error *error);

/* Takes it over, after edge_attach(), and serves. Returns 0 or a negative errno. */
int edge_resume(struct edge *edge, const json_t *state);

/* To be passed every event of the supervisor. */
void edge_observe(struct edge *edge, enum supervisor_event event);

/* The supervisor has stopped: answers what is under way, closes, and calls done. */
void edge_drain(struct edge *edge, void (*done)(void *arg), void *arg);

#endif
