/* SPDX-License-Identifier: MIT */
/* The reports of a host, for its tenants: most become events of a unit's machine. */
#ifndef REEVE_DAEMON_UNIT_HOST_REPORTS_H
#define REEVE_DAEMON_UNIT_HOST_REPORTS_H

#include "daemon/process/host.h"

/* Of a host whose argument is its tenancy. */
extern const struct host_events host_reports;

#endif
