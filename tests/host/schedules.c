/* SPDX-License-Identifier: MIT */
#include "tests/host/schedules.h"

struct schedule_now at(int64_t since_noon)
{
    return (struct schedule_now){UPTIME + since_noon, NOON + since_noon};
}

struct calendar *utc(const char *text)
{
    struct calendar *calendar;
    char with_zone[128];
    const char *expected;

    snprintf(with_zone, sizeof(with_zone), "%s UTC", text);
    assert_int_equal(calendar_parse(with_zone, &calendar, &expected), 0);
    return calendar;
}

struct schedule_gap gap; /* of the last begin */

struct schedule begin_past(const struct schedule_rule *rule, const struct schedule_now *now,
                           const struct schedule_past *past)
{
    struct schedule schedule;

    schedule_begin(&schedule, rule, now, past, 42, &gap);
    return schedule;
}

struct schedule begin(const struct schedule_rule *rule, int64_t settled)
{
    struct schedule_now now = at(0);

    return begin_past(rule, &now, &(struct schedule_past){.settled = settled});
}

struct schedule begin_again(const struct schedule *before, int64_t since_noon, bool owed)
{
    struct schedule_now now = at(since_noon);
    struct schedule_past past;

    schedule_hand_on(before, &now, &past);
    past.owed = owed;
    return begin_past(before->rule, &now, &past);
}

int64_t next_after_run(struct schedule *schedule, int64_t duration, unsigned failures)
{
    struct schedule_now now = at(schedule->due - UPTIME + duration);

    schedule_started(schedule);
    return schedule_plan(schedule, &now, failures) - UPTIME;
}

int64_t set_clock(struct schedule *schedule, int64_t mono, int64_t real)
{
    struct schedule_now now = {UPTIME + mono, NOON + real};

    return schedule_clock_was_set(schedule, &now, &gap) - UPTIME;
}

rv_duration end_request(struct schedule *schedule, int64_t since_noon, unsigned failures)
{
    struct schedule_now now = at(since_noon);

    schedule_set_pause(schedule, &now, failures);
    return schedule->due - UPTIME;
}
