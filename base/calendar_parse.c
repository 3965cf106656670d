/* SPDX-License-Identifier: MIT */
/*
 * Reads calendar expressions:
 *
 *     [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]
 *     [WEEKDAYS] @SECONDS [ZONE]
 *     SHORTHAND [ZONE]
 *
 * The zone is looked for first, at the end; what is before it is a text of its own
 * (calendar_fields.c).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/calendar.h"
#include "base/calendar_private.h"

static const char expected_calendar[] = "a calendar expression such as Mon..Fri 03:00";
static const char expected_zone[] = "a time zone such as UTC or Europe/Berlin";

static const struct shorthand {
    const char *name;
    const char *meaning;
} shorthands[] = {
    {"minutely", "*-*-* *:*:00"},
    {"hourly", "*-*-* *:00:00"},
    {"daily", "*-*-* 00:00:00"},
    {"weekly", "Mon *-*-* 00:00:00"},
    {"monthly", "*-*-01 00:00:00"},
    {"quarterly", "*-01,04,07,10-01 00:00:00"},
    {"semiannually", "*-01,07-01 00:00:00"},
    {"semi-annually", "*-01,07-01 00:00:00"},
    {"biannually", "*-01,07-01 00:00:00"},
    {"bi-annually", "*-01,07-01 00:00:00"},
    {"yearly", "*-01-01 00:00:00"},
    {"annually", "*-01-01 00:00:00"},
    {"anually", "*-01-01 00:00:00"},
};

/* Whether the text ends with a blank and the word, in any case; *ret_length is then the length
 * before it.
 */
static bool ends_with_word(const char *text, const char *word, size_t *ret_length)
{
    size_t length = strlen(text), end = strlen(word) + 1;

    if (length < end || text[length - end] != ' ' || strcasecmp(text + length - end + 1, word) != 0)
        return false;
    *ret_length = length - end;
    return true;
}

/* Loads a zone by name. Returns 0 or the errors of zone_load(). */
static int set_zone(struct calendar *calendar, const char *name)
{
    int r = zone_load(name, &calendar->zone);

    if (r < 0)
        return r;
    calendar->zone_name = strdup(name);
    return calendar->zone_name ? 0 : -ENOMEM;
}

static int set_fixed_zone(struct calendar *calendar, const struct zone_kind *kind)
{
    calendar->zone_name = strdup(kind->name);
    return calendar->zone_name ? zone_fixed(kind, &calendar->zone) : -ENOMEM;
}

/*
 * Sets the zone that the text ends with, or else the local one, and says how long the text before
 * it is. Abbreviations of the local zone, such as CET and CEST in Berlin, come before IANA's names,
 * and stand for their offsets all the year round. Returns 0 or -ENOMEM.
 */
static int find_zone(const char *text, struct zone *local, struct calendar *calendar,
                     size_t *ret_length)
{
    const char *blank = strrchr(text, ' ');
    int r = -ENOENT;

    if (ends_with_word(text, "UTC", ret_length))
        return set_zone(calendar, "UTC");
    for (int dst = 0; dst < 2; dst++) {
        const struct zone_kind *kind = zone_kind(local, dst);

        if (kind && kind->name[0] != '\0' && ends_with_word(text, kind->name, ret_length))
            return set_fixed_zone(calendar, kind);
    }
    if (blank) {
        *ret_length = (size_t)(blank - text);
        r = set_zone(calendar, blank + 1);
    }
    if (r < 0 && r != -ENOMEM) {
        *ret_length = strlen(text);
        calendar->zone = zone_ref(local);
        r = 0;
    }
    return r;
}

/* Reads a text without a zone into an empty calendar. */
static int parse_without_zone(const char *text, struct calendar *calendar,
                              const char **ret_expected)
{
    int day;

    for (size_t i = 0; i < ARRAY_SIZE(shorthands); i++)
        if (strcasecmp(text, shorthands[i].name) == 0)
            return calendar_parse_fields(shorthands[i].meaning, calendar, ret_expected);
    if (*text == '\0' || (!isdigit((unsigned char)*text) && !strchr("*@", *text) &&
                          calendar_match_weekday(text, &day) == 0)) {
        *ret_expected = expected_calendar;
        return -EINVAL;
    }
    return calendar_parse_fields(text, calendar, ret_expected);
}

/* Whether a text that is wrong would be right without its last word, which looks like a zone. */
static bool zone_unknown(const char *text)
{
    const char *blank = strrchr(text, ' '), *expected;
    cleanup_calendar struct calendar *scratch = calloc(1, sizeof(*scratch));
    cleanup_free char *before = NULL;
    int day;

    if (!blank || !isalpha((unsigned char)blank[1]) || calendar_match_weekday(blank + 1, &day) > 0)
        return false;
    before = strndup(text, (size_t)(blank - text));
    return before && scratch && parse_without_zone(before, scratch, &expected) == 0;
}

int calendar_parse_in(const char *text, struct zone *local, struct calendar **ret_calendar,
                      const char **ret_expected)
{
    cleanup_calendar struct calendar *calendar = calloc(1, sizeof(*calendar));
    cleanup_free char *before = NULL;
    size_t length;
    int r;

    if (!calendar)
        return -ENOMEM;
    r = find_zone(text, local, calendar, &length);
    if (r < 0)
        return r;
    before = strndup(text, length);
    if (!before)
        return -ENOMEM;
    r = parse_without_zone(before, calendar, ret_expected);
    if (r == -EINVAL && zone_unknown(before)) {
        *ret_expected = expected_zone;
        return -ENOENT;
    }
    if (r < 0)
        return r;
    *ret_calendar = TAKE_PTR(calendar);
    return 0;
}

int calendar_parse(const char *text, struct calendar **ret_calendar, const char **ret_expected)
{
    cleanup_zone struct zone *local = NULL;
    int r = zone_local(&local);

    return r < 0 ? r : calendar_parse_in(text, local, ret_calendar, ret_expected);
}
