/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's log: under systemd, whose journal stderr is then, records with fields; else one
 * line on stderr a record, to be read by people or as JSON. A write never blocks. Lines of our own
 * that cannot be taken at once wait in memory, up to a bound; those of others, and what does not
 * fit, are dropped and counted, and the next line that gets through says how many were. Hosts log
 * through libreeve, into a pipe that the supervisor reads.
 */
#ifndef REEVE_BASE_LOG_H
#define REEVE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_kind.h"
#include "base/macro.h"

/* Levels above this one are not written; LOG_LEVEL_INFO unless it is set. */
void log_set_level(enum log_level level);

/* Main thread only. The text is cut at about 2 KiB and made one printable line, and the secrets of
 * its URLs are hidden. errno stays as it was: the caller, libevent at times, may yet look at it. */
void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);

/* The same for one of the events. */
void log_about(enum log_event event, enum log_level level, const char *format, ...)
    printf_like(3, 4);

/* The same for what others say, of whom a flood must not take our own lines along: it waits only if
 * it counts, and only while half of the room is free. */
void log_foreign(enum log_level level, bool counts, const char *format, ...) printf_like(3, 4);

/* fn is called when something waits to be written, and not again until log_flush() has returned
 * true. NULL: nobody is told. */
void log_set_waiting(void (*fn)(void *arg), void *arg);
/* Writes what waits, without blocking. Returns whether nothing is left. */
bool log_flush(void);
/* For the end: blocks until all lines are written and the journal has read them, or for so many
 * nanoseconds. */
void log_finish(int64_t patience);

struct log_record;

/* For a live upgrade: what has not been written yet. */
struct log_waiting {
    const char *torn; /* what is left of a line that was begun */
    size_t torn_size;
    uint64_t dropped; /* lines, of which nothing has been said */
};

/* Calls fn with each record that waits. The result is valid until the next line. */
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
