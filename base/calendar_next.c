/* SPDX-License-Identifier: MIT */
/*
 * Finds the next elapse: starts a microsecond after the given time, and from the year down to the
 * second moves each part on to the first value that its field allows. A part that moved sets the
 * smaller ones to their start; a part without any value left adds one to the next larger one; and
 * then all is looked at again. Each time a part has been set, the local time is turned into an
 * instant and back: if it comes back as another one (day 30 of February, an hour in a gap), the
 * search goes on from there.
 *
 * Which instant a local time in a fold is depends on the offset that was found last, as in
 * mktime(), so the search carries that along (see zone_to_seconds()). From the first pass it so
 * goes on behind the fold, as in systemd: right for a time of day, which comes once a day. An
 * expression for every hour goes on in the second pass, by a search that begins there.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/calendar_private.h"
#include "base/civil.h"
#include "base/clock.h"

/*
 * The time only moves on, so that the search ends by itself in 2199, after a few thousand steps
 * even for `Mon *-02-30`. The limit is for zones that nobody has thought of. Systemd has 1000, and
 * gives up on some expressions that elapse or end later.
 */
#define MAX_STEPS 100000

struct search {
    const struct calendar *calendar;
    struct civil time;
    int microsecond;
    int offset;      /* the last one found, in seconds east of Greenwich */
    int64_t seconds; /* the instant of `time`, once all parts fit */
};

/* The result of setting a part. */
enum outcome {
    FITS,
    MOVED, /* there is no such local time; `time` is a later one now */
    NONE,  /* the field has no value left, or none that leads forward */
};

static int *part_of(struct civil *time, size_t part)
{
    int *const parts[CALENDAR_PARTS] = {
        [CALENDAR_YEAR] = &time->year,     [CALENDAR_MONTH] = &time->month,
        [CALENDAR_DAY] = &time->day,       [CALENDAR_HOUR] = &time->hour,
        [CALENDAR_MINUTE] = &time->minute, [CALENDAR_SECOND] = &time->second,
    };

    return parts[part];
}

static int lowest(size_t part)
{
    return part == CALENDAR_MONTH || part == CALENDAR_DAY ? 1 : 0;
}

static void reset_below(struct search *search, size_t part)
{
    for (size_t i = part + 1; i < CALENDAR_PARTS; i++)
        *part_of(&search->time, i) = lowest(i);
    search->microsecond = 0;
}

/* The instant of a local time and what a clock shows then. Times before 1970 count as none. */
static int look_up(struct search *search, const struct civil *time, struct civil *ret_time)
{
    int r = zone_to_seconds(search->calendar->zone, time, &search->offset, &search->seconds);

    if (r < 0)
        return r;
    if (search->seconds < 0)
        return -ERANGE;
    zone_to_civil(search->calendar->zone, search->seconds, ret_time);
    return 0;
}

/* The n-th last day of the month, or -1 when it is in another month. */
static int day_from_end(struct search *search, int n)
{
    struct civil time = search->time, found;

    time.month++;
    time.day = 1 - n;
    if (look_up(search, &time, &found) < 0 || found.month != search->time.month)
        return -1;
    return found.day;
}

/* The days that a span from the end means in the month of the search. */
static struct calendar_span span_from_end(struct search *search, const struct calendar_span *span)
{
    int first = day_from_end(search, span->start), last = day_from_end(search, span->stop);

    if (last > 0)
        return (struct calendar_span){last, first, span->repeat};
    return (struct calendar_span){first, last, span->repeat};
}

/* The first value of the field from value on. Returns false when there is none. */
static bool match_field(struct search *search, size_t part, int value, int *ret_value)
{
    const struct calendar_field *field = &search->calendar->fields[part];
    bool from_end = part == CALENDAR_DAY && search->calendar->from_end, found = field->count == 0;
    int best = value;

    for (size_t i = 0; i < field->count; i++) {
        struct calendar_span span = field->spans[i];
        int candidate;

        if (from_end)
            span = span_from_end(search, &span);
        candidate = span.start;
        if (candidate < value) {
            int past = value - span.start;

            if (span.repeat == 0)
                continue;
            candidate += (past + span.repeat - 1) / span.repeat * span.repeat;
            if (span.stop >= 0 && candidate > span.stop)
                continue;
        }
        if (!found || candidate < best)
            best = candidate;
        found = true;
    }
    *ret_value = best;
    return found;
}

/* The largest part in which two times differ, or CALENDAR_PARTS; *ret_order is -1, 0 or 1. */
static size_t compare_times(struct civil *a, struct civil *b, int *ret_order)
{
    for (size_t i = 0; i < CALENDAR_PARTS; i++) {
        int left = *part_of(a, i), right = *part_of(b, i);

        *ret_order = (left > right) - (left < right);
        if (*ret_order != 0)
            return i;
    }
    return CALENDAR_PARTS;
}

/* Where the zone answers a time in a gap with one before it (see Dublin), the search would come
 * back there for ever: the time that is so long after the gap takes its place. */
static void leave_gap(struct search *search, const struct civil *time, struct civil *found)
{
    int64_t back = civil_to_seconds(time) - civil_to_seconds(found);

    if (back > 0)
        search->offset = zone_to_civil(search->calendar->zone, search->seconds + back, found);
}

/* Whether there is such a local time. */
static enum outcome check_time(struct search *search)
{
    struct civil found;
    size_t part;
    int order;

    if (search->time.year > CALENDAR_MAX_YEAR || look_up(search, &search->time, &found) < 0)
        return NONE;
    part = compare_times(&found, &search->time, &order);
    if (order == 0)
        return FITS;
    leave_gap(search, &search->time, &found);
    part = compare_times(&found, &search->time, &order);
    if (order <= 0)
        return NONE;
    /* Day 33 of March is 2 April, and hour 25 of its last day is 1:00 of 1 April: the search must
     * not miss points before that. Behind a gap the search starts anew below the hour alone. */
    search->time = found;
    reset_below(search, part);
    return MOVED;
}

/* Sets one part to the first value from its present one on. */
static enum outcome set_part(struct search *search, size_t part)
{
    int *target = part_of(&search->time, part), before = *target, value;
    bool second = part == CALENDAR_SECOND;

    if (second)
        before = before * USEC_PER_SEC + search->microsecond;
    if (!match_field(search, part, before, &value))
        return NONE;
    *target = second ? value / USEC_PER_SEC : value;
    if (value != before)
        reset_below(search, part);
    if (second)
        search->microsecond = value % USEC_PER_SEC;
    return check_time(search);
}

static bool weekday_matches(const struct search *search)
{
    unsigned weekdays = search->calendar->weekdays;
    const struct civil *time = &search->time;

    return weekdays == 0 ||
           weekdays & (1U << civil_weekday(civil_to_days(time->year, time->month, time->day)));
}

/* Adds one to a part; the time may then be out of range until the next look-up. */
static void advance(struct search *search, size_t part)
{
    ++*part_of(&search->time, part);
    reset_below(search, part);
}

static void bring_into_range(struct search *search)
{
    struct civil found;

    if (look_up(search, &search->time, &found) < 0)
        return;
    leave_gap(search, &search->time, &found);
    search->time = found;
}

/* Sets all parts once. Returns 1 when they fit, 0 to go on, or -ENOENT. */
static int step(struct search *search)
{
    bring_into_range(search);
    for (size_t part = CALENDAR_YEAR; part < CALENDAR_PARTS; part++) {
        enum outcome outcome = set_part(search, part);

        if (part == CALENDAR_YEAR && outcome != FITS)
            return -ENOENT;
        if (outcome == MOVED)
            return 0;
        if (outcome == NONE) {
            advance(search, part - 1);
            return 0;
        }
        if (part == CALENDAR_DAY && !weekday_matches(search)) {
            advance(search, CALENDAR_DAY);
            return 0;
        }
    }
    return 1;
}

/* The first elapse at or after an instant; both in microseconds. Returns 0 or -ENOENT. */
static int search_from(const struct calendar *calendar, int64_t start, int64_t *ret_elapse)
{
    struct search search = {.calendar = calendar, .microsecond = (int)(start % USEC_PER_SEC)};

    search.offset = zone_to_civil(calendar->zone, start / USEC_PER_SEC, &search.time);
    for (int steps = 0; steps < MAX_STEPS; steps++) {
        int r = step(&search);

        if (r < 0)
            return r;
        if (r == 0)
            continue;
        *ret_elapse = search.seconds * USEC_PER_SEC + search.microsecond;
        if (*ret_elapse >= start)
            return 0;
        /* In a fold the second pass can lead back to the first one: leave the hour. */
        advance(&search, CALENDAR_HOUR);
    }
    return -ENOENT;
}

/* Clocks go back by less than this, and not twice within it. */
#define FOLD_MAX (4 * 3600)

/* The clock goes back at a moment, by so many seconds. */
struct fold {
    int64_t at; /* 0: it does not */
    int back;
};

static struct fold find_fold(const struct zone *zone, int64_t before, int64_t after)
{
    int offset = zone_at(zone, before)->offset, back = offset - zone_at(zone, after)->offset;

    if (back <= 0)
        return (struct fold){0};
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;

        *(zone_at(zone, middle)->offset == offset ? &before : &after) = middle;
    }
    return (struct fold){after, back};
}

/* When the clock goes back, if a local time of the moment comes again then; else 0. In seconds, as
 * below. */
static int64_t find_second_pass_ahead(const struct zone *zone, int64_t seconds)
{
    struct fold fold = find_fold(zone, seconds, seconds + FOLD_MAX);

    return fold.at - seconds <= fold.back ? fold.at : 0;
}

/* When the clock went back, if it shows the local time of the moment for the second time; else 0.
 */
static int64_t find_second_pass(const struct zone *zone, int64_t seconds)
{
    struct fold fold = find_fold(zone, seconds - FOLD_MAX, seconds);

    return seconds - fold.at < fold.back ? fold.at : 0;
}

int calendar_next(const struct calendar *calendar, int64_t after_ns, int64_t *ret_ns)
{
    int64_t start = MAX(divide_floor(after_ns, NSEC_PER_USEC) + 1, INT64_C(0)), elapse, again;
    int64_t fold = 0, second_pass = 0;
    int r;

    /* A time of day occurs once. A search that begins in the second pass continues after the fold,
     * as a search from the first pass does. Otherwise a task that restarts in that hour would run
     * again. */
    if (calendar->fields[CALENDAR_HOUR].count > 0)
        second_pass = find_second_pass(calendar->zone, start / USEC_PER_SEC) * USEC_PER_SEC;
    r = search_from(calendar, second_pass > 0 ? second_pass - 1 : start, &elapse);

    /* The search finds a local time that comes twice the first time only. */
    if (calendar->fields[CALENDAR_HOUR].count == 0)
        fold = find_second_pass_ahead(calendar->zone, start / USEC_PER_SEC) * USEC_PER_SEC;
    if (fold > 0 && (r < 0 || fold < elapse) && search_from(calendar, fold, &again) == 0) {
        elapse = r < 0 ? again : MIN(elapse, again);
        r = 0;
    }
    if (r == 0)
        *ret_ns = elapse * NSEC_PER_USEC;
    return r;
}
