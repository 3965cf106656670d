/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's log: under systemd, whose journal stderr is then, records with fields; else one line
 * on stderr a record, to be read by people or as JSON. A write never blocks. Lines of our own that cannot be taken at
 * once wait in memory, up to a bound; those of others, and what does not fit, are dropped and counted, and the next line
 * that gets through says how many were. Hosts log through libreeve, into a pipe that the supervisor reads.
 */
#ifndef REEVE_BASE_LOG_H
#define REEVE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* The values are those of syslog(3). */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* What a record is about, for programs that look for it: each has a MESSAGE_ID (sd_journal_print(3)). */
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

/* What lines on stderr are; LOG_FORMAT_TEXT unless it is set. The journal has its own. */
void log_set_format(enum log_format format);

/* Whether records go to the journal. */
bool log_goes_to_journal(void);

/*
 * Whether the process has hardly begun, and may end at once. journald finds the unit of a record by the
 * process that sent it, as it reads the record; without a unit "journalctl -u" does not show the record.
 * journald knows the unit of each line on stderr. So meanwhile records go there, without fields.
 */
void log_set_beginning(bool beginning);

/* Levels above this one are not written; LOG_LEVEL_INFO unless it is set. */
void log_set_level(enum log_level level);

/* "error", "warning", "notice", "info", "debug", from LOG_LEVEL_ERROR on; ended by NULL. */
extern const char *const log_level_names[];
const char *log_level_name(enum log_level level);

/* Main thread only. The text is cut at about 2 KiB and made one printable line, and the secrets of its
 * URLs are hidden. errno stays as it was: the caller, libevent at times, may yet look at it. */
void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);

/* The same for one of the events. */
void log_about(enum log_event event, enum log_level level, const char *format, ...)
    printf_like(3, 4);

/* The same for what others say, of whom a flood must not take our own lines along: it waits only if it counts, and only
 * while half of the room is free. */
void log_foreign(enum log_level level, bool counts, const char *format, ...) printf_like(3, 4);

/* fn is called when something waits to be written, and not again until log_flush() has returned true. NULL: nobody
 * is told. */
void log_set_waiting(void (*fn)(void *arg), void *arg);
/* Writes what waits, without blocking. Returns whether nothing is left. */
bool log_flush(void);
/* For the end: blocks until all lines are written and the journal has read them, or for so many nanoseconds. */
void log_finish(int64_t patience);

struct log_record;

/* For a live upgrade: what has not been written yet. */
struct log_waiting {
    const char *torn; /* what is left of a line that was begun */
    size_t torn_size;
    uint64_t dropped; /* lines, of which nothing has been said */
};

/* Calls fn with each record that waits. What is returned is valid until the next line. */
void log_save(struct log_waiting *ret_waiting,
              void (*fn)(const struct log_record *record, void *arg), void *arg);
/* Takes it over, before anything is logged: first this, then each line in its order. */
void log_resume(const struct log_waiting *waiting);
void log_resume_line(enum log_event event, enum log_level level, int64_t realtime,
                     const char *text);

/* Calls fn with each record that is written; NULL: nobody. fn must not log. */
void log_set_observer(void (*fn)(const struct log_record *record, void *arg), void *arg);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
