/* SPDX-License-Identifier: MIT */
/*
 * The proleptic Gregorian calendar without any time zone: seconds since the epoch and the year,
 * month, day, hour, minute and second that a clock in UTC would show. Pure functions.
 */
#ifndef REEVE_BASE_CIVIL_H
#define REEVE_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#define SECONDS_PER_DAY INT64_C(86400)

/* Seconds since the epoch that the functions here and in base/zone.h take: a billion years. */
#define CIVIL_LIMIT (INT64_C(1) << 55)

/* The time that a clock and a calendar on the wall show. */
struct civil {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* Rounds towards the past, so that days before the epoch work as those after it. divisor > 0. */
static inline int64_t divide_floor(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

static inline int64_t modulo_floor(int64_t value, int64_t divisor)
{
    return value - divide_floor(value, divisor) * divisor;
}

bool civil_is_leap(int64_t year);

/*
 * Days from the epoch to a date. Month and day may be out of range and then count on, as in
 * timegm(): month 14 is February of the next year, day 0 the last day of the previous month.
 */
int64_t civil_to_days(int64_t year, int64_t month, int64_t day);

/* Seconds from the epoch; every field may be out of range, as in timegm(). No overflow. */
int64_t civil_to_seconds(const struct civil *civil);

/* The opposite; seconds are within CIVIL_LIMIT of the epoch. All fields come out in range. */
void civil_from_seconds(int64_t seconds, struct civil *ret_civil);

/* The weekday of a day since the epoch, 0 for Monday to 6 for Sunday. */
static inline int civil_weekday(int64_t days)
{
    return (int)modulo_floor(days + 3, 7); /* the epoch was a Thursday */
}

#endif
