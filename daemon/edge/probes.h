/* SPDX-License-Identifier: MIT */
/* The paths for probes, for metrics and for people. */
#ifndef REEVE_DAEMON_EDGE_PROBES_H
#define REEVE_DAEMON_EDGE_PROBES_H

#include <stdbool.h>

#include "daemon/edge/edge_record.h"
#include "daemon/loop/http.h"

/* Serves /livez, /readyz, /startupz, /health, /metrics and the page. Returns false for another
 * path. */
bool probes_serve(struct edge *edge, struct http_request *request);
/* Of the health server; arg: the edge. */
void probes_handle(struct http_request *request, void *arg);

#endif
