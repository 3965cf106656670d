/* SPDX-License-Identifier: MIT */
/* The module that a request names. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_NAMED_H
#define REEVE_DAEMON_EDGE_CONTROL_NAMED_H

#include "daemon/edge/edge_record.h"
#include "daemon/loop/http.h"
#include "daemon/unit/unit.h"

/* The error of a request that gives no module its name, at all paths. */
#define NAMED_NO_MODULE "no module is named"

/* The module that ?module= names; answers and returns NULL when there is none. */
struct unit *named_unit(struct edge *edge, struct http_request *request);

#endif
