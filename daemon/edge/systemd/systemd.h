/* SPDX-License-Identifier: MIT */
/* Tells systemd what happens. */
#ifndef REEVE_DAEMON_EDGE_SYSTEMD_SYSTEMD_H
#define REEVE_DAEMON_EDGE_SYSTEMD_SYSTEMD_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/control/supervisor.h"
#include "daemon/edge/edge_record.h"

int systemd_create(struct edge *edge, bool successor, struct systemd **ret_systemd);
void systemd_destroy(struct systemd *systemd);
/* The messages that it has not taken yet. NULL: no memory. */
json_t *systemd_save(const struct systemd *systemd);
void systemd_resume(struct systemd *systemd, const json_t *state);
/* The name of the unit that this is; null outside of any. */
json_t *systemd_unit_json(void);
void systemd_observe(struct systemd *systemd, enum supervisor_event event);

/* For `systemctl status`: why there is no daemon. */
void systemd_tell_failure(const char *text);

#endif
