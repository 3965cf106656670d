/* SPDX-License-Identifier: MIT */
/* The share of the machine that hosts and reeved itself take, as metrics. */
#ifndef REEVE_DAEMON_EDGE_METRICS_METRICS_USAGE_H
#define REEVE_DAEMON_EDGE_METRICS_METRICS_USAGE_H

#include "daemon/control/snapshot.h"
#include "daemon/edge/metrics/exposition.h"

void metrics_write_usage(const struct exposition *exposition, const struct snapshot *snapshot);

#endif
