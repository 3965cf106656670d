/* SPDX-License-Identifier: MIT */
/*
 * A time zone's rule in the syntax of POSIX's TZ, such as `CET-1CEST,M3.5.0,M10.5.0/3`: standard
 * time, and maybe daylight saving time between two dates of each year. It is what TZ holds, and
 * what a TZif file says about the time after its last transition. A plain value; pure functions.
 */
#ifndef REEVE_BASE_ZONE_RULE_H
#define REEVE_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* The longest abbreviation that is taken, with its NUL; IANA's have at most six letters. */
#define ZONE_NAME_SIZE 16

/* A local time during which the same offset holds. */
struct zone_kind {
    int offset; /* seconds east of Greenwich */
    bool dst;
    char name[ZONE_NAME_SIZE];
};

/* When in a year a change happens. */
struct zone_date {
    enum {
        ZONE_DATE_JULIAN, /* Jn: day is 1 to 365, 29 February is never counted */
        ZONE_DATE_DAY,    /* n: day is 0 to 365 */
        ZONE_DATE_WEEKDAY /* Mm.w.d: the w-th (5: the last) weekday of a month, 0 for Sunday */
    } form;
    int month;
    int week;
    int day;
    int time; /* seconds after midnight of that day in the time that ends; maybe negative */
};

struct zone_rule {
    bool has_dst;
    struct zone_kind kinds[2];   /* standard time, daylight saving time */
    struct zone_date changes[2]; /* to daylight saving time, back to standard time */
};

/*
 * Reads a rule. Daylight saving time without dates follows those of the United States, as in glibc;
 * hours of dates may be -167 to 167, as in version 3 of TZif. Returns 0 or -EINVAL.
 */
int zone_rule_parse(const char *text, struct zone_rule *ret_rule);

/* The kind in force at an instant, in seconds since the epoch; points into the rule. */
const struct zone_kind *zone_rule_at(const struct zone_rule *rule, int64_t seconds);

#endif
