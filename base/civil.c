/* SPDX-License-Identifier: MIT */
#include "base/civil.h"

#include <assert.h>

/* The calendar repeats after this many years, which are a whole number of days (and of weeks). */
#define CYCLE_YEARS 400
#define CYCLE_DAYS  146097
/* From 1 March of year 0, where counting starts below, to the epoch. */
#define EPOCH_DAYS 719468

bool civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/*
 * Counting years from March puts the leap day at the end: the days before a month then follow one
 * formula, since the lengths from March on (31 30 31 30 31, twice, and the rest) repeat every five
 * months, which have 153 days.
 */
static int64_t days_before_month(int64_t month_from_march)
{
    return (153 * month_from_march + 2) / 5;
}

int64_t civil_to_days(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = month - 3, year_of_cycle, cycle;

    year += divide_floor(from_march, 12);
    from_march = modulo_floor(from_march, 12);
    cycle = divide_floor(year, CYCLE_YEARS);
    year_of_cycle = year - cycle * CYCLE_YEARS;
    return cycle * CYCLE_DAYS + year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 +
           days_before_month(from_march) + day - 1 - EPOCH_DAYS;
}

int64_t civil_to_seconds(const struct civil *civil)
{
    return civil_to_days(civil->year, civil->month, civil->day) * SECONDS_PER_DAY +
           civil->hour * INT64_C(3600) + civil->minute * INT64_C(60) + civil->second;
}

void civil_from_seconds(int64_t seconds, struct civil *ret_civil)
{
    int64_t days, cycle, day_of_cycle, year_of_cycle, day_of_year, month;
    int second_of_day;

    assert(seconds > -CIVIL_LIMIT && seconds < CIVIL_LIMIT);
    days = divide_floor(seconds, SECONDS_PER_DAY);
    second_of_day = (int)(seconds - days * SECONDS_PER_DAY);
    days += EPOCH_DAYS;
    cycle = divide_floor(days, CYCLE_DAYS);
    day_of_cycle = days - cycle * CYCLE_DAYS;
    /* Taking the leap days out (one in 1461 days, less one in 36524, and the last of all) leaves
     * years of 365 days. */
    year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
                     day_of_cycle / (CYCLE_DAYS - 1)) /
                    365;
    day_of_year = day_of_cycle - (year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100);
    month = (5 * day_of_year + 2) / 153;
    *ret_civil = (struct civil){
        .year = (int)(cycle * CYCLE_YEARS + year_of_cycle + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - days_before_month(month) + 1),
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
    };
}
