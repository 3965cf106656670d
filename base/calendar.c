/* SPDX-License-Identifier: MIT */
/* A calendar's normal form: as a value, and as text. */
#include "base/calendar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar_private.h"

const char calendar_weekdays[7][10] = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
};

static const struct range {
    int minimum;
    int maximum;
} ranges[CALENDAR_PARTS] = {
    [CALENDAR_YEAR] = {CALENDAR_MIN_YEAR, CALENDAR_MAX_YEAR},
    [CALENDAR_MONTH] = {1, 12},
    [CALENDAR_DAY] = {1, 31},
    [CALENDAR_HOUR] = {0, 23},
    [CALENDAR_MINUTE] = {0, 59},
    [CALENDAR_SECOND] = {0, 60 * USEC_PER_SEC - 1},
};

int calendar_look_again(const struct calendar *calendar, struct zone **ret_zone)
{
    return zone_look_again(calendar->zone, ret_zone);
}

void calendar_set_zone(struct calendar *calendar, struct zone *zone)
{
    zone_unref(calendar->zone);
    calendar->zone = zone;
}

void calendar_free(struct calendar *calendar)
{
    if (!calendar)
        return;
    for (size_t i = 0; i < CALENDAR_PARTS; i++)
        free(calendar->fields[i].spans);
    zone_unref(calendar->zone);
    free(calendar->zone_name);
    free(calendar);
}

static int compare_spans(const void *left, const void *right)
{
    const struct calendar_span *a = left, *b = right;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->stop != b->stop)
        return a->stop < b->stop ? -1 : 1;
    return (a->repeat > b->repeat) - (a->repeat < b->repeat);
}

/* 69 is 2069, 70 is 1970. */
static int full_year(int year)
{
    if (year < 0 || year >= 100)
        return year;
    return year + (year < 70 ? 2000 : 1900);
}

/* A stop that is reached exactly; a span that is only its start becomes just that. */
static void normalise_span(struct calendar_span *span)
{
    if (span->stop > span->start && span->repeat > 0)
        span->stop -= (span->stop - span->start) % span->repeat;
    if (span->start == span->stop) {
        span->repeat = 0;
        span->stop = -1;
    }
}

static void normalise_field(struct calendar_field *field)
{
    size_t kept = 0;

    for (size_t i = 0; i < field->count; i++)
        normalise_span(&field->spans[i]);
    if (field->count > 1)
        qsort(field->spans, field->count, sizeof(field->spans[0]), compare_spans);
    for (size_t i = 0; i < field->count; i++)
        if (kept == 0 || compare_spans(&field->spans[kept - 1], &field->spans[i]) != 0)
            field->spans[kept++] = field->spans[i];
    field->count = kept;
}

/* At least one repetition must be within the range, or the span is a mistake. */
static bool span_valid(const struct calendar_span *span, int minimum, int maximum, bool from_end)
{
    if (span->start < minimum || span->start > maximum || span->repeat > maximum - minimum)
        return false;
    if (span->stop >= 0)
        return span->stop >= minimum && span->stop <= maximum &&
               span->start + span->repeat <= span->stop;
    return from_end ? span->start - span->repeat >= minimum : span->start + span->repeat <= maximum;
}

/*
 * Days from the end may go back 28, which every month has. In a list systemd allows three days less
 * for each further item, probably by mistake; what is refused there is refused here, so that an
 * expression means the same in both or nothing.
 */
static bool field_valid(const struct calendar_field *field, const struct range *range,
                        bool from_end)
{
    int maximum = range->maximum;

    for (size_t i = 0; i < field->count; i++) {
        if (from_end)
            maximum -= 3;
        if (!span_valid(&field->spans[i], range->minimum, maximum, from_end))
            return false;
    }
    return true;
}

int calendar_normalise(struct calendar *calendar)
{
    struct calendar_field *years = &calendar->fields[CALENDAR_YEAR];

    if (calendar->weekdays == 0x7f)
        calendar->weekdays = 0;
    if (calendar->fields[CALENDAR_DAY].count == 0)
        calendar->from_end = false;
    for (size_t i = 0; i < years->count; i++) {
        years->spans[i].start = full_year(years->spans[i].start);
        years->spans[i].stop = full_year(years->spans[i].stop);
    }
    for (size_t i = 0; i < CALENDAR_PARTS; i++) {
        normalise_field(&calendar->fields[i]);
        if (!field_valid(&calendar->fields[i], &ranges[i], calendar->from_end && i == CALENDAR_DAY))
            return -EINVAL;
    }
    return 0;
}

/* Three and more days in a row become a range. */
static void format_weekdays(unsigned weekdays, struct text *text)
{
    const char *separator = "";

    for (unsigned first = 0, end; first < 7; first = end) {
        end = first + 1;
        if (!(weekdays & (1U << first)))
            continue;
        while (end < 7 && weekdays & (1U << end))
            end++;
        if (end - first == 2)
            end--;
        text_append_format(text, "%s%.3s", separator, calendar_weekdays[first]);
        if (end - first > 2)
            text_append_format(text, "..%.3s", calendar_weekdays[end - 1]);
        separator = ",";
    }
    text_append(text, " ");
}

/* A number of units, with six decimals if there is a fraction of one. */
static void format_number(int value, int unit, int width, struct text *text)
{
    text_append_format(text, "%0*d", width, value / unit);
    if (value % unit > 0)
        text_append_format(text, ".%06d", value % unit);
}

static void format_span(const struct calendar_span *span, int unit, int width, struct text *text)
{
    format_number(span->start, unit, width, text);
    if (span->stop > 0) {
        text_append(text, "..");
        format_number(span->stop, unit, width, text);
    }
    if (span->repeat > 0 && !(span->stop > 0 && span->repeat == unit)) {
        text_append(text, "/");
        format_number(span->repeat, unit, 1, text);
    }
}

static bool every_second(const struct calendar_field *field)
{
    for (size_t i = 0; i < field->count; i++)
        if (field->spans[i].start == 0 && field->spans[i].stop < 0 &&
            field->spans[i].repeat == USEC_PER_SEC)
            return true;
    return false;
}

static void format_field(const struct calendar_field *field, bool seconds, int width,
                         struct text *text)
{
    int unit = seconds ? USEC_PER_SEC : 1;

    if (field->count == 0 || (seconds && every_second(field))) {
        text_append(text, "*");
        return;
    }
    for (size_t i = 0; i < field->count; i++) {
        if (i > 0)
            text_append(text, ",");
        format_span(&field->spans[i], unit, width, text);
    }
}

void calendar_format(const struct calendar *calendar, struct text *text)
{
    const char *const separators[CALENDAR_PARTS] = {
        [CALENDAR_YEAR] = "",
        [CALENDAR_MONTH] = "-",
        [CALENDAR_DAY] = calendar->from_end ? "~" : "-",
        [CALENDAR_HOUR] = " ",
        [CALENDAR_MINUTE] = ":",
        [CALENDAR_SECOND] = ":",
    };

    if (calendar->weekdays != 0)
        format_weekdays(calendar->weekdays, text);
    for (size_t i = 0; i < CALENDAR_PARTS; i++) {
        text_append(text, separators[i]);
        format_field(&calendar->fields[i], i == CALENDAR_SECOND, i == CALENDAR_YEAR ? 4 : 2, text);
    }
    if (calendar->zone_name)
        text_append_format(text, " %s", calendar->zone_name);
}
