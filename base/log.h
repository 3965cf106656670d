/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's log: one line on stderr a record, prefixed as sd-daemon(3) says when systemd
 * reads it, else with the time and level. A write never blocks: a line that stderr cannot take at
 * once is dropped and counted, and the next line that gets through says how many were.
 * Hosts log through libreeve, into a pipe that the supervisor reads.
 */
#ifndef REEVE_BASE_LOG_H
#define REEVE_BASE_LOG_H

#include <stdbool.h>

#include "base/macro.h"

/* The values are those of syslog(3). */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* Levels above this one are not written; LOG_LEVEL_INFO unless it is set. */
void log_set_level(enum log_level level);

/* "error", "warning", "notice", "info", "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/* Main thread only. The text is cut at about 2 KiB, and made printable. errno stays as it was: the
 * caller, libevent at times, may yet look at it. */
void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);

/* Calls fn with each line that is written, printable and without its prefix; NULL: nobody. fn must not
 * log. */
void log_set_observer(void (*fn)(enum log_level level, const char *text, void *arg), void *arg);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
