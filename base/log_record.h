/* SPDX-License-Identifier: MIT */
/*
 * A line of the log with what it is about, and its forms for programs: JSON, and the journal's own
 * protocol (systemd.journal-fields(7), and "Native Journal Protocol" among systemd's documents).
 */
#ifndef REEVE_BASE_LOG_RECORD_H
#define REEVE_BASE_LOG_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/log_kind.h"

/* Longer names are cut, as everywhere. */
#define LOG_NAME_SIZE 64

struct log_record {
    enum log_level level;
    enum log_event event;
    int64_t realtime;
    const char *text;           /* printable */
    char module[LOG_NAME_SIZE]; /* "": the daemon itself */
    char task[LOG_NAME_SIZE];   /* or pool; "": none */
    uint64_t run;               /* or job; 0: none */
};

/* Fills in module, task and run from the text's "[web] ", "[web/check] " or "[web/check#12] ". */
void log_record_parse(struct log_record *record);

/* Writes one line, with its end: an object of time, level, module, task, run, event, message_id and
 * text, null where there is none. A text that has no room is cut. Returns the length. */
size_t log_record_write_json(const struct log_record *record, char *buffer, size_t size);

/* Writes a datagram for the journal's socket, without what there is not. Returns the length. */
size_t log_record_write_journal(const struct log_record *record, char *buffer, size_t size);

#endif
