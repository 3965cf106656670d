/* SPDX-License-Identifier: MIT */
/* The levels of the log, the events that records are about, and their names. */
#ifndef REEVE_BASE_LOG_KIND_H
#define REEVE_BASE_LOG_KIND_H

/* The values are those of syslog(3). */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* The event of a record, for programs that look for it: each has a MESSAGE_ID
 * (sd_journal_print(3)). */
enum log_event {
    LOG_EVENT_NONE,
    LOG_EVENT_START,   /* a module starts for the first time */
    LOG_EVENT_READY,   /* its init is through */
    LOG_EVENT_CRASH,   /* its host died of itself */
    LOG_EVENT_HANG,    /* its host was killed because something of it hung */
    LOG_EVENT_RESTART, /* it starts again, for whatever reason */
    LOG_EVENT_GIVE_UP, /* it will not be started again */
    LOG_EVENT_COUNT
};

/* "crash" and the like; NULL for none. */
const char *log_event_name(enum log_event event);
/* 32 hexadecimal digits, which never change; NULL for none. */
const char *log_event_id(enum log_event event);

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* "error", "warning", "notice", "info", "debug", from LOG_LEVEL_ERROR on; ended by NULL. */
extern const char *const log_level_names[];
const char *log_level_name(enum log_level level);

#endif
