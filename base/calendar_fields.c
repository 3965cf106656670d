/* SPDX-License-Identifier: MIT */
/* Reads the fields of a calendar expression: weekdays, date and time. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/calendar_private.h"
#include "base/civil.h"

/* As many items as a list may have, in systemd too. */
#define MAX_SPANS 241

static const char expected_weekday[] = "weekdays such as Mon..Fri or Sat,Sun";
static const char expected_date[] = "a date such as 2026-12-24, *-12-24 or *-*~1";
static const char expected_time[] = "a time such as 03:00, *:0/15 or 12:00:30";
static const char expected_range[] = "years from 1970 to 2199, months to 12, days to 31 (28 after "
                                     "~), hours to 23, minutes and seconds to 59";

static void skip_blanks(const char **text)
{
    *text += strspn(*text, " ");
}

size_t calendar_match_weekday(const char *text, int *ret_day)
{
    for (int day = 0; day < 7; day++) {
        size_t length = strlen(calendar_weekdays[day]);

        *ret_day = day;
        if (strncasecmp(text, calendar_weekdays[day], length) == 0)
            return length;
        if (strncasecmp(text, calendar_weekdays[day], 3) == 0)
            return 3;
    }
    return 0;
}

/* Days and ranges, `..` or, as in old times, `-`; a comma may be last. Nothing is fine too. */
static int parse_weekdays(const char **text, struct calendar *calendar)
{
    int first = -1, day;
    size_t length = calendar_match_weekday(*text, &day);

    if (length == 0)
        return 0;
    for (;;) {
        const char *p = *text + length;

        if (first > day)
            return -EINVAL;
        for (int i = first < 0 ? day : first; i <= day; i++)
            calendar->weekdays |= 1U << i;
        if (*p == ',') {
            first = -1;
            p++;
        } else if (*p == '-' || (p[0] == '.' && p[1] == '.')) {
            if (first >= 0)
                return -EINVAL;
            first = day;
            p += *p == '-' ? 1 : 2;
        } else if (*p != '\0' && *p != ' ') {
            return -EINVAL;
        } else {
            first = -1;
        }
        *text = p;
        if (*p == '\0' || *p == ' ') {
            skip_blanks(text);
            return first < 0 ? 0 : -EINVAL;
        }
        length = calendar_match_weekday(p, &day);
        if (length == 0)
            return -EINVAL;
    }
}

/* Decimals to the microsecond, rounded by the seventh. */
static int parse_decimals(const char **text, int64_t *ret_usec)
{
    const char *p = *text;
    int64_t usec = 0, unit = USEC_PER_SEC / 10;

    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p) && unit > 0; p++, unit /= 10)
        usec += (*p - '0') * unit;
    if (*p >= '5' && *p <= '9')
        usec++;
    *text = p + strspn(p, "0123456789");
    *ret_usec = usec;
    return 0;
}

/* A number below 2^31; with_fraction in units of a millionth. */
static int parse_number(const char **text, bool with_fraction, int *ret_value)
{
    const char *p = *text;
    int64_t value = 0, decimals = 0;

    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p); p++) {
        value = value * 10 + (*p - '0');
        if (value > INT_MAX)
            return -EINVAL;
    }
    if (with_fraction && p[0] == '.' && p[1] != '.') {
        p++;
        if (parse_decimals(&p, &decimals) < 0)
            return -EINVAL;
    }
    if (with_fraction)
        value = value * USEC_PER_SEC + decimals;
    if (value > INT_MAX)
        return -EINVAL;
    *text = p;
    *ret_value = (int)value;
    return 0;
}

static int add_span(struct calendar_field *field, struct calendar_span span)
{
    struct calendar_span *spans;

    if (field->count == MAX_SPANS)
        return -EINVAL;
    spans = realloc(field->spans, (field->count + 1) * sizeof(*spans));
    if (!spans)
        return -ENOMEM;
    spans[field->count] = span;
    field->spans = spans;
    field->count++;
    return 0;
}

static int parse_span(const char **text, bool seconds, struct calendar_span *ret_span)
{
    struct calendar_span span = {.stop = -1};
    const char *p = *text;
    int r = parse_number(&p, seconds, &span.start);

    if (r == 0 && p[0] == '.' && p[1] == '.') {
        p += 2;
        r = parse_number(&p, seconds, &span.stop);
        span.repeat = seconds ? USEC_PER_SEC : 1;
    }
    if (r < 0)
        return r;
    if (*p == '/') {
        p++;
        r = parse_number(&p, seconds, &span.repeat);
        if (r < 0 || span.repeat == 0)
            return -EINVAL;
    } else if (seconds && span.stop >= 0 &&
               (span.start > INT_MAX - span.repeat || span.start + span.repeat > span.stop)) {
        /* Steps of a second in less than a second: a smaller step was forgotten. */
        return -EINVAL;
    }
    if (!strchr(" ,-~:", *p)) /* '\0' is found too */
        return -EINVAL;
    *text = p;
    *ret_span = span;
    return 0;
}

/* `*`, or spans between commas. */
static int parse_field(const char **text, bool seconds, struct calendar_field *field)
{
    if (**text == '*') {
        ++*text;
        return seconds ? add_span(field, (struct calendar_span){0, -1, USEC_PER_SEC}) : 0;
    }
    for (;;) {
        struct calendar_span span;
        int r = parse_span(text, seconds, &span);

        if (r == 0)
            r = add_span(field, span);
        if (r < 0)
            return r;
        if (**text != ',')
            return 0;
        ++*text;
    }
}

static int set_constant(struct calendar *calendar, enum calendar_part part, int value)
{
    return add_span(&calendar->fields[part], (struct calendar_span){value, -1, 0});
}

/* `@` and seconds since the epoch: a moment in UTC, whatever the zone is. */
static int parse_epoch(const char **text, struct calendar *calendar)
{
    const char *p = *text + 1;
    int64_t seconds = 0;
    struct civil civil;
    bool negative;
    int r = 0;

    while (isspace((unsigned char)*p)) /* blanks and a sign: systemd calls strtoul() */
        p++;
    negative = *p == '-';
    p += *p == '-' || *p == '+';
    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p); p++) {
        seconds = seconds * 10 + (*p - '0');
        if (seconds >= CIVIL_LIMIT || (negative && seconds > 0))
            return -EINVAL;
    }
    civil_from_seconds(seconds, &civil);
    const int values[CALENDAR_PARTS] = {civil.year, civil.month,  civil.day,
                                        civil.hour, civil.minute, civil.second * USEC_PER_SEC};
    for (size_t i = 0; i < CALENDAR_PARTS && r == 0; i++)
        r = set_constant(calendar, (enum calendar_part)i, values[i]);
    *text = p;
    if (r < 0)
        return r;
    zone_unref(TAKE_PTR(calendar->zone));
    free(calendar->zone_name);
    calendar->zone_name = strdup("UTC");
    return calendar->zone_name ? zone_load("UTC", &calendar->zone) : -ENOMEM;
}

static void move_field(struct calendar *calendar, enum calendar_part part,
                       struct calendar_field *field)
{
    calendar->fields[part] = *field;
    *field = (struct calendar_field){0};
}

/*
 * MONTH-DAY or YEAR-MONTH-DAY, with `~` before the day for counting from the end. Without either
 * separator after its first field the text is a time, and is left alone.
 */
static int parse_date_fields(const char **text, struct calendar *calendar,
                             struct calendar_field fields[3])
{
    const char *p = *text;
    size_t count = 0;

    for (;;) {
        int r = parse_field(&p, false, &fields[count++]);

        if (r < 0)
            return r;
        if (count == 1 && (*p == '\0' || *p == ':'))
            return 0;
        if (count > 1 && (*p == '\0' || *p == ' '))
            break;
        if (count == 3 || calendar->from_end || (*p != '-' && *p != '~'))
            return -EINVAL;
        calendar->from_end = *p++ == '~';
    }
    skip_blanks(&p);
    *text = p;
    if (count == 3)
        move_field(calendar, CALENDAR_YEAR, &fields[0]);
    move_field(calendar, CALENDAR_MONTH, &fields[count - 2]);
    move_field(calendar, CALENDAR_DAY, &fields[count - 1]);
    return 0;
}

static int parse_date(const char **text, struct calendar *calendar)
{
    struct calendar_field fields[3] = {0};
    int r = parse_date_fields(text, calendar, fields);

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        free(fields[i].spans);
    return r;
}

/* HOUR:MINUTE[:SECOND] up to the end; nothing at all is midnight. */
static int parse_time(const char *text, struct calendar *calendar)
{
    bool midnight = *text == '\0';
    int r;

    for (enum calendar_part part = CALENDAR_HOUR; part < CALENDAR_PARTS; part++) {
        if (midnight || (part == CALENDAR_SECOND && *text == '\0')) {
            r = set_constant(calendar, part, 0);
        } else {
            if (part != CALENDAR_HOUR && *text++ != ':')
                return -EINVAL;
            r = parse_field(&text, part == CALENDAR_SECOND, &calendar->fields[part]);
        }
        if (r < 0)
            return r;
    }
    return *text == '\0' ? 0 : -EINVAL;
}

int calendar_parse_fields(const char *text, struct calendar *calendar, const char **ret_expected)
{
    int r = parse_weekdays(&text, calendar);

    *ret_expected = expected_weekday;
    if (r < 0)
        return r;
    if (*text == '@') {
        *ret_expected = "seconds since the epoch such as @1700000000";
        r = parse_epoch(&text, calendar);
        if (r == 0 && *text != '\0')
            r = -EINVAL;
    } else {
        *ret_expected = strpbrk(text, "-~") ? expected_date : expected_time;
        r = *text == '\0' ? 0 : parse_date(&text, calendar);
        if (r < 0)
            return r;
        *ret_expected = expected_time;
        r = parse_time(text, calendar);
    }
    if (r < 0)
        return r;
    *ret_expected = expected_range;
    return calendar_normalise(calendar);
}
