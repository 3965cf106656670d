/* SPDX-License-Identifier: MIT */
/*
 * The log. Module, task and run come from the context. Records go to the host's log, and outside of
 * a host to stderr, as readable lines.
 */
#ifndef REEVE_LOG_H
#define REEVE_LOG_H

#include <stddef.h>

#include <reeve/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are those of syslog(3). */
enum rv_log_level {
    RV_LOG_ERROR = 3,
    RV_LOG_WARNING = 4,
    RV_LOG_NOTICE = 5,
    RV_LOG_INFO = 6,
    RV_LOG_DEBUG = 7,
};

/* A further fact of a record: key=value. */
struct rv_field {
    const char *key;
    const char *value;
};

/* Writes a record, the second with further fields. ctx may be NULL. The text is cut at 2 KiB. Any
 * thread; blocks as long as the sink does. */
void rv_log(struct rv_context *ctx, enum rv_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void rv_log_fields(struct rv_context *ctx, enum rv_log_level level, const struct rv_field *fields,
                   size_t count, const char *format, ...) __attribute__((format(printf, 5, 6)));

#ifdef __cplusplus
}
#endif

#endif
