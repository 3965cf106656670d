/* SPDX-License-Identifier: MIT */
/*
 * Where records of the log go: to the journal's socket if stderr is the journal, else to stderr, as
 * one line each. A write never blocks. Main thread only.
 */
#ifndef REEVE_BASE_LOG_WRITE_H
#define REEVE_BASE_LOG_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log_record.h"

/* The format of lines on stderr; LOG_FORMAT_TEXT unless it is set. The journal has its own. */
void log_set_format(enum log_format format);

/* Whether records go to the journal. */
bool log_goes_to_journal(void);

/*
 * Whether the process has hardly begun, and may end at once. journald finds the unit of a record by
 * the process that sent it, as it reads the record; without a unit "journalctl -u" does not show
 * the record. journald knows the unit of each line on stderr. So meanwhile records go there,
 * without fields.
 */
void log_set_beginning(bool beginning);

/* Returns whether it is written, or has begun to be: the rest of such a line comes before all else.
 */
bool log_write_record(const struct log_record *record);
/* Returns whether nothing is left of a line that was begun. */
bool log_write_rest(void);
/* Whether the journal has not read all records yet. */
bool log_write_is_unread(void);
/* Why the last write failed; 0: none has. */
int log_write_error(void);

/* For a live upgrade: what is left of such a line, valid until the next write; and takes it over.
 */
const char *log_write_torn(size_t *ret_size);
void log_write_resume(const char *torn, size_t size);

#endif
