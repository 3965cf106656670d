/* SPDX-License-Identifier: MIT */
/* The routes of the control socket. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_CONTROL_H
#define REEVE_DAEMON_EDGE_CONTROL_CONTROL_H

#include "daemon/loop/http.h"

/* arg: the edge. */
void control_serve(struct http_request *request, void *arg);

#endif
