/* SPDX-License-Identifier: MIT */
/* The log of a supervised host: lines that reeved understands, one write each. */
#ifndef REEVE_HOST_LOG_SINK_H
#define REEVE_HOST_LOG_SINK_H

void log_sink_install(void);

#endif
