/* SPDX-License-Identifier: MIT */
/*
 * How a calendar looks inside: for the files that parse, format and search.
 *
 * An expression is a set of weekdays and six fields, and it elapses when all of them match. A field
 * is a list of spans, any of which may match; an empty list matches always. Seconds are counted in
 * microseconds.
 */
#ifndef REEVE_BASE_CALENDAR_PRIVATE_H
#define REEVE_BASE_CALENDAR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zone.h"

#define USEC_PER_SEC 1000000

#define CALENDAR_MIN_YEAR 1970
#define CALENDAR_MAX_YEAR 2199

enum calendar_part {
    CALENDAR_YEAR,
    CALENDAR_MONTH,
    CALENDAR_DAY,
    CALENDAR_HOUR,
    CALENDAR_MINUTE,
    CALENDAR_SECOND,
    CALENDAR_PARTS
};

/* `start`, `start/repeat`, `start..stop` or `start..stop/repeat`. */
struct calendar_span {
    int start;
    int stop;   /* -1: none, a repetition goes on to the end of the field's range */
    int repeat; /* 0: only start itself */
};

struct calendar_field {
    struct calendar_span *spans; /* by start, stop and repeat, ascending, each once */
    size_t count;
};

struct calendar {
    unsigned weekdays; /* bit 0 is Monday; 0: any */
    bool from_end;     /* `~`: days count back from the end of the month, 1 is the last */
    struct calendar_field fields[CALENDAR_PARTS];
    struct zone *zone;
    char *zone_name; /* as in the normalised form, or NULL when the zone is the local one */
};

extern const char calendar_weekdays[7][10];

/* The weekday, 0 for Monday, that text starts with, long or short; its length, or 0. */
size_t calendar_match_weekday(const char *text, int *ret_day);

/*
 * Reads weekdays, date and time into an empty calendar, and normalises it. `@SECONDS` also sets the
 * zone. Returns 0, -EINVAL with a static text of what was expected, or -ENOMEM.
 */
int calendar_parse_fields(const char *text, struct calendar *calendar, const char **ret_expected);

/* Sorts and simplifies the fields, and checks their ranges. Returns 0 or -EINVAL. */
int calendar_normalise(struct calendar *calendar);

#endif
