/* SPDX-License-Identifier: MIT */
/* Everything that a snapshot knows, for reevectl. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_STATUS_H
#define REEVE_DAEMON_EDGE_CONTROL_STATUS_H

#include <jansson.h>

#include "daemon/control/snapshot.h"
#include "daemon/edge/edge_record.h"

json_t *status_json(const struct edge *edge, const struct snapshot *snapshot);

#endif
