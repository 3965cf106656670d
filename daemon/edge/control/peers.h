/* SPDX-License-Identifier: MIT */
/* The peer at the other end of the control socket, and what the settings let it do. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_PEERS_H
#define REEVE_DAEMON_EDGE_CONTROL_PEERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/edge/edge_record.h"
#include "daemon/loop/http.h"
#include "settings/config.h"

/* Answers 403 and returns false when it is not enough. */
bool peer_may(struct edge *edge, struct http_request *request, bool change);
/* "pid 12 uid 0", for the log and for the tasks that are cancelled. Returns buffer. */
char *peer_describe(struct http_request *request, char *buffer, size_t size);
/* The mode of the socket: open to all, who are then asked who they are, when the settings name
 * anybody. */
mode_t peer_socket_mode(const struct config *config);

#endif
