/* SPDX-License-Identifier: MIT */
/*
 * The log of a supervised host: lines that reeved understands, one write each. Lines of the host's
 * own, such as what became of a run, bear a mark: reeved has room for some of them beside what the
 * module may log, so a module that floods its log hides no failure.
 */
#ifndef REEVE_HOST_REPORT_LOG_SINK_H
#define REEVE_HOST_REPORT_LOG_SINK_H

#include <reeve/log.h>

#include "base/macro.h"

void log_sink_install(void);

/* As rv_log(), for what the host has to say itself. */
void host_log(struct rv_context *ctx, enum rv_log_level level, const char *format, ...)
    printf_like(3, 4);

#endif
