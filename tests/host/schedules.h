/* SPDX-License-Identifier: MIT */
/* Helpers of tests of schedules: times in, times out. No clock is read, so every moment is tried
 * at once. Times are since noon of a day, unless they are said to be others. */
#ifndef REEVE_TESTS_HOST_SCHEDULES_H
#define REEVE_TESTS_HOST_SCHEDULES_H

#include "base/calendar.h"
#include "base/zone.h"
#include "host/schedule/schedule.h"
#include "tests/support/cmocka.h"

#define S RV_SECOND

/* 2026-11-24 12:00:00 UTC, and a machine that has been up for a while. */
#define NOON   (INT64_C(1795521600) * S)
#define UPTIME (5000 * S)
#define DAY    (86400 * S)

struct schedule_now at(int64_t since_noon);
struct calendar *utc(const char *text);
extern struct schedule_gap gap; /* of the last begin */
struct schedule begin_past(const struct schedule_rule *rule, const struct schedule_now *now,
                           const struct schedule_past *past);
/* At noon; every point until then is settled, as the file says it. */
struct schedule begin(const struct schedule_rule *rule, int64_t settled);
/* Another life begins so long after noon, with what the schedule hands on. */
struct schedule begin_again(const struct schedule *before, int64_t since_noon, bool owed);
/* The next start after a run that began when it was due and took so long, from noon on. */
int64_t next_after_run(struct schedule *schedule, int64_t duration, unsigned failures);
/* The monotonic clock goes on from `mono` since noon; the time of day is set to `real` since noon.
 */
int64_t set_clock(struct schedule *schedule, int64_t mono, int64_t real);
/* A run on request ends so long after noon; the next start is then due, since noon. */
rv_duration end_request(struct schedule *schedule, int64_t since_noon, unsigned failures);

#endif
