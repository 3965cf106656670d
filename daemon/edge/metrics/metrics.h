/* SPDX-License-Identifier: MIT */
/* The two text formats of the metrics. */
#ifndef REEVE_DAEMON_EDGE_METRICS_METRICS_H
#define REEVE_DAEMON_EDGE_METRICS_METRICS_H

#include "daemon/edge/documents.h"

extern const struct document metrics_document;      /* of Prometheus */
extern const struct document open_metrics_document; /* OpenMetrics */

#endif
