/* SPDX-License-Identifier: MIT */
#include "base/zone_rule.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/civil.h"

/* The calendar repeats after 400 years, with its weekdays. */
#define SECONDS_PER_CYCLE (INT64_C(146097) * SECONDS_PER_DAY)

static int parse_number(const char **text, int minimum, int maximum, int *ret_value)
{
    int value = 0, digits = 0;
    const char *p = *text;

    for (; isdigit((unsigned char)*p) && digits < 4; p++, digits++)
        value = value * 10 + (*p - '0');
    if (digits == 0 || value < minimum || value > maximum)
        return -EINVAL;
    *text = p;
    *ret_value = value;
    return 0;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static int parse_time(const char **text, int maximum_hours, int *ret_seconds)
{
    const char *p = *text;
    int sign = 1, hours, minutes = 0, seconds = 0, r;

    if (*p == '+' || *p == '-')
        sign = *p++ == '-' ? -1 : 1;
    r = parse_number(&p, 0, maximum_hours, &hours);
    if (r == 0 && *p == ':') {
        p++;
        r = parse_number(&p, 0, 59, &minutes);
        if (r == 0 && *p == ':') {
            p++;
            r = parse_number(&p, 0, 59, &seconds);
        }
    }
    if (r < 0)
        return r;
    *text = p;
    *ret_seconds = sign * (hours * 3600 + minutes * 60 + seconds);
    return 0;
}

/* Letters, or letters, digits and signs in angle brackets; three of them at least. */
static int parse_name(const char **text, char *name)
{
    const char *p = *text, *start;
    bool quoted = *p == '<';
    size_t length;

    if (quoted)
        p++;
    start = p;
    while (isalpha((unsigned char)*p) ||
           (quoted && (isdigit((unsigned char)*p) || *p == '+' || *p == '-')))
        p++;
    length = (size_t)(p - start);
    if (length < 3 || length >= ZONE_NAME_SIZE || (quoted && *p++ != '>'))
        return -EINVAL;
    memcpy(name, start, length);
    name[length] = '\0';
    *text = p;
    return 0;
}

static int parse_date(const char **text, struct zone_date *ret_date)
{
    struct zone_date date = {.time = 2 * 3600};
    const char *p = *text;
    int r;

    if (*p == 'J') {
        p++;
        date.form = ZONE_DATE_JULIAN;
        r = parse_number(&p, 1, 365, &date.day);
    } else if (*p == 'M') {
        p++;
        date.form = ZONE_DATE_WEEKDAY;
        r = parse_number(&p, 1, 12, &date.month);
        if (r < 0 || *p++ != '.')
            return -EINVAL;
        r = parse_number(&p, 1, 5, &date.week);
        if (r < 0 || *p++ != '.')
            return -EINVAL;
        r = parse_number(&p, 0, 6, &date.day);
    } else {
        date.form = ZONE_DATE_DAY;
        r = parse_number(&p, 0, 365, &date.day);
    }
    if (r == 0 && *p == '/') {
        p++;
        r = parse_time(&p, 167, &date.time);
    }
    if (r < 0)
        return r;
    *text = p;
    *ret_date = date;
    return 0;
}

/* A name and how far it is west of Greenwich, which is what POSIX writes. */
static int parse_kind(const char **text, bool dst, int default_offset, struct zone_kind *ret_kind)
{
    struct zone_kind kind = {.offset = default_offset, .dst = dst};
    int west, r = parse_name(text, kind.name);

    if (r < 0)
        return r;
    if (!dst || (**text != '\0' && **text != ',')) {
        r = parse_time(text, 24, &west);
        if (r < 0)
            return r;
        kind.offset = -west;
    }
    *ret_kind = kind;
    return 0;
}

int zone_rule_parse(const char *text, struct zone_rule *ret_rule)
{
    static const struct zone_date united_states[2] = {
        {.form = ZONE_DATE_WEEKDAY, .month = 3, .week = 2, .day = 0, .time = 2 * 3600},
        {.form = ZONE_DATE_WEEKDAY, .month = 11, .week = 1, .day = 0, .time = 2 * 3600},
    };
    struct zone_rule rule = {.has_dst = false};
    int r = parse_kind(&text, false, 0, &rule.kinds[0]);

    if (r < 0)
        return r;
    rule.kinds[1] = rule.kinds[0];
    if (*text != '\0') {
        rule.has_dst = true;
        r = parse_kind(&text, true, rule.kinds[0].offset + 3600, &rule.kinds[1]);
        if (r < 0)
            return r;
        memcpy(rule.changes, united_states, sizeof(rule.changes));
        for (int i = 0; i < 2 && (i > 0 || *text != '\0'); i++) {
            if (*text++ != ',' || parse_date(&text, &rule.changes[i]) < 0)
                return -EINVAL;
        }
        if (*text != '\0')
            return -EINVAL;
    }
    *ret_rule = rule;
    return 0;
}

/* The first day of a month that is the wanted weekday, then weeks on, but within the month. */
static int64_t weekday_of_month(int year, const struct zone_date *date)
{
    int64_t first = civil_to_days(year, date->month, 1);
    int64_t next_month = civil_to_days(year, date->month + 1, 1);
    int wanted = (date->day + 6) % 7; /* POSIX counts from Sunday, civil_weekday() from Monday */
    int64_t day = first + (wanted - civil_weekday(first) + 7) % 7 + (date->week - 1) * INT64_C(7);

    return day < next_month ? day : day - 7;
}

/* When the change happens in that year; offset is that of the time which ends. */
static int64_t change_at(int year, const struct zone_date *date, int offset)
{
    int64_t day = civil_to_days(year, 1, 1);

    switch (date->form) {
    case ZONE_DATE_JULIAN:
        day += date->day - 1 + (date->day >= 60 && civil_is_leap(year));
        break;
    case ZONE_DATE_DAY:
        day += date->day;
        break;
    case ZONE_DATE_WEEKDAY:
        day = weekday_of_month(year, date);
        break;
    }
    return day * SECONDS_PER_DAY + date->time - offset;
}

const struct zone_kind *zone_rule_at(const struct zone_rule *rule, int64_t seconds)
{
    struct civil civil;
    int64_t start, end;
    bool dst;

    if (!rule->has_dst)
        return &rule->kinds[0];
    seconds = modulo_floor(seconds, SECONDS_PER_CYCLE);
    civil_from_seconds(seconds, &civil);
    start = change_at(civil.year, &rule->changes[0], rule->kinds[0].offset);
    end = change_at(civil.year, &rule->changes[1], rule->kinds[1].offset);
    /* South of the equator summer spans the new year. */
    dst = start <= end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return &rule->kinds[dst];
}
