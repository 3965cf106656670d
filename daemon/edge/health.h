/* SPDX-License-Identifier: MIT */
/* The health document. */
#ifndef REEVE_DAEMON_EDGE_HEALTH_H
#define REEVE_DAEMON_EDGE_HEALTH_H

#include "daemon/control/snapshot.h"
#include "daemon/edge/documents.h"

/* Of all modules. */
extern const struct document health_document;

/* Appends the application/health+json document, of all modules or of one of the snapshot's. */
void health_write(const struct snapshot *snapshot, const struct snapshot_module *only,
                  struct text *text);

#endif
