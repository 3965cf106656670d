/* SPDX-License-Identifier: MIT */
/* Answers with the live context tree, once the hosts have. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_CONTEXT_TREE_H
#define REEVE_DAEMON_EDGE_CONTROL_CONTEXT_TREE_H

#include "daemon/edge/edge_record.h"
#include "daemon/loop/http.h"

void context_tree_serve(struct edge *edge, struct http_request *request);

#endif
