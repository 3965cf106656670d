/* SPDX-License-Identifier: MIT */
/* The line that `systemctl status` shows. */
#ifndef REEVE_DAEMON_EDGE_SYSTEMD_STATUS_LINE_H
#define REEVE_DAEMON_EDGE_SYSTEMD_STATUS_LINE_H

#include "daemon/control/snapshot.h"

void status_line(const struct snapshot *snapshot, char *ret_line, size_t size);

#endif
