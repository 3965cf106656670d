/* SPDX-License-Identifier: MIT */
/* Tables for people, and parts of the daemon's JSON as texts. */
#ifndef REEVE_CTL_TABLE_H
#define REEVE_CTL_TABLE_H

#include <jansson.h>
#include <stddef.h>

#include "base/macro.h"
#include "ctl/ctl.h"

struct table;

/* Columns end with NULL; a name that begins with '>' stands right. Exits when there is no memory.
 */
struct table *table_create(const struct ctl *ctl, const char *const *columns);
void table_line(struct table *table);
/* The next cell of the line. Texts of modules are made printable. */
void table_cell(struct table *table, const char *format, ...) printf_like(2, 3);
/* Colours the cell that was added last by a health status: pass, warn, fail. */
void table_colour(struct table *table, const char *status);
/* Prints and frees. */
void table_print(struct table *table);

/* A member as text, "" when there is none. */
const char *get_text(const json_t *object, const char *key);
long long get_number(const json_t *object, const char *key);
/* Seconds as a duration; "-" for null. A negative number, as of a run that began while reeved wrote
 * the answer, is "0". Returns buffer. */
char *get_duration(const json_t *object, const char *key, char *buffer, size_t size);
/* The same of seconds until something; "now" when they are over. Returns buffer. */
char *get_time_left(const json_t *object, const char *key, char *buffer, size_t size);
/* Seconds, as exactly as one says such things: "1.1s", "27s", "3h 5min". Returns buffer. */
char *format_rough(double seconds, char *buffer, size_t size);
/* A time in UTC as the reader's local time, without its fraction. Returns buffer. */
char *get_local_time(const char *text, char *buffer, size_t size);

/* Of a text that may be anything, as a file's name may: what cannot be printed is '?' in it. Null
 * for NULL; NULL without memory. */
json_t *make_printable(const char *text);
void print_json(const json_t *json);

#endif
