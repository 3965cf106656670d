/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions, such as `Mon..Fri 03:00` or `*-*-01 04:30 Europe/Berlin`: the syntax of
 * systemd.time(7), CALENDAR EVENTS, and the elapses that `systemd-analyze calendar` of systemd 252
 * tells. tests/base/calendar_compare.py compares the two and lists where they differ, and why. One
 * difference is wanted: an expression whose hour is `*` goes on in an hour that comes twice.
 *
 * Nothing but calendar_set_zone() changes a calendar once it is parsed: else any thread may ask it,
 * and one may free it when no other uses it any more. There is no global state, and nothing depends
 * on tzset().
 */
#ifndef REEVE_BASE_CALENDAR_H
#define REEVE_BASE_CALENDAR_H

#include <stdint.h>

#include "base/macro.h"
#include "base/text.h"
#include "base/zone.h"

struct calendar;

/*
 * Parses an expression. One without a time zone of its own follows the local zone as it is now
 * (see zone_local(), which also says what that needs); the zone's file is read here, and after that
 * only when it is looked at again. The new calendar is the caller's, to be given to
 * calendar_free().
 *
 * Returns 0; -EINVAL for what is no expression, or has a value out of its range; -ENOENT for an
 * expression whose last word is no known time zone; or -ENOMEM. With the first two *ret_expected
 * is a static text for "expected ..." in an error message. May block for reading a small file.
 */
int calendar_parse(const char *text, struct calendar **ret_calendar, const char **ret_expected);

/* As calendar_parse(), with this for the local zone; the calendar takes a reference of its own. */
int calendar_parse_in(const char *text, struct zone *local, struct calendar **ret_calendar,
                      const char **ret_expected);

/*
 * The first elapse strictly after a real time; both are in nanoseconds since the epoch, and the
 * elapse is a whole number of microseconds. Returns 0, or -ENOENT when there is none any more: no
 * expression elapses before 1970 or after 2199. The work is bounded for every expression (below a
 * tenth of a second at the worst, microseconds as a rule), and it does not block.
 */
int calendar_next(const struct calendar *calendar, int64_t after_ns, int64_t *ret_ns);

/* Whether the calendar's zone is another by now: as zone_look_again(), for calendar_set_zone(). */
int calendar_look_again(const struct calendar *calendar, struct zone **ret_zone);

/* Takes over the reference. No other thread may use the calendar meanwhile. */
void calendar_set_zone(struct calendar *calendar, struct zone *zone);

/* Appends the normalised form, `Mon..Fri *-*-* 03:00:00`; it parses to an equal calendar. */
void calendar_format(const struct calendar *calendar, struct text *text);

/* NULL is allowed. */
void calendar_free(struct calendar *calendar);

static inline void calendar_free_fn(struct calendar **calendar)
{
    calendar_free(*calendar);
}
#define cleanup_calendar _cleanup_(calendar_free_fn)

#endif
