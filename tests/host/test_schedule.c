/* SPDX-License-Identifier: MIT */
/* Schedules: times in, times out. No clock is read, so every moment is tried at once. */
#include <string.h>

#include "base/calendar.h"
#include "base/zone.h"
#include "daemon/host/schedule.h"
#include "tests/support/cmocka.h"

#define S RV_SECOND

/* 2026-11-24 12:00:00 UTC, and a machine that has been up for a while. */
#define NOON   (INT64_C(1795521600) * S)
#define UPTIME (5000 * S)

static struct schedule_now at(int64_t since_noon)
{
    return (struct schedule_now){UPTIME + since_noon, NOON + since_noon};
}

static struct calendar *utc(const char *text)
{
    struct calendar *calendar;
    char with_zone[128];
    const char *expected;

    snprintf(with_zone, sizeof(with_zone), "%s UTC", text);
    assert_int_equal(calendar_parse(with_zone, &calendar, &expected), 0);
    return calendar;
}

static struct schedule begin(const struct schedule_rule *rule, int64_t last_run)
{
    struct schedule_now now = at(0);
    struct schedule schedule;

    schedule_begin(&schedule, rule, &now, last_run, 42);
    return schedule;
}

/* The next start after a run that began when it was due and took so long, from noon on. */
static int64_t next_after_run(struct schedule *schedule, int64_t duration, unsigned failures)
{
    struct schedule_now now = at(schedule->due - UPTIME + duration);

    schedule_started(schedule);
    return schedule_plan(schedule, &now, failures) - UPTIME;
}

static void test_an_interval_stays_on_its_grid(void **state)
{
    struct schedule_rule rule = {.every = 10 * S};
    struct schedule schedule = begin(&rule, 0);
    struct schedule_now now;
    (void)state;

    /* At once, and then on the grid, however long a run takes. */
    assert_int_equal(schedule.due, UPTIME);
    assert_int_equal(next_after_run(&schedule, 0, 0), 10 * S);
    assert_int_equal(next_after_run(&schedule, 9 * S, 0), 20 * S);
    now = at(20 * S + 35 * S);
    assert_int_equal(schedule_missed(&schedule, schedule.due, &now), 3);
    assert_int_equal(next_after_run(&schedule, 35 * S, 0), 60 * S);
    /* A run that ends exactly on a point has missed that one. */
    now = at(70 * S);
    assert_int_equal(schedule_missed(&schedule, schedule.due, &now), 1);
    assert_int_equal(next_after_run(&schedule, 10 * S, 0), 80 * S);
}

static void test_offset_and_jitter(void **state)
{
    struct schedule_rule rule = {.every = 10 * S, .offset = 3 * S, .jitter = 4 * S};
    struct schedule schedule = begin(&rule, 0);
    int64_t least = INT64_MAX, most = 0;
    (void)state;

    for (int64_t i = 0; i < 1000; i++) {
        int64_t due = schedule.due - UPTIME - 3 * S - i * 10 * S;

        assert_between(due, 0, 4 * S);
        least = due < least ? due : least;
        most = due > most ? due : most;
        next_after_run(&schedule, S / 10, 0);
    }
    /* All of it is used, about evenly. */
    assert_true(least < S / 10);
    assert_true(most > 4 * S - S / 10);
}

static void test_an_interval_goes_on_where_it_was(void **state)
{
    struct schedule_rule hourly = {.every = 3600 * S}, tick = {.every = S};
    struct schedule schedule;
    (void)state;

    /* The last run was 20 minutes ago: the next is in 40, and not at once. */
    schedule = begin(&hourly, NOON - 1200 * S);
    assert_int_equal(schedule.due, UPTIME + 2400 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), 6000 * S);
    /* Missed: soon, but not together with all others. */
    schedule = begin(&hourly, NOON - 5 * 3600 * S);
    assert_between(schedule.due, UPTIME, UPTIME + 30 * S);
    assert_int_equal(next_after_run(&schedule, 60 * S, 0), 3600 * S);
    /* A short interval that was missed is due now. */
    schedule = begin(&tick, NOON - 3600 * S);
    assert_int_equal(schedule.due, UPTIME);
    /* A clock that was set back makes nobody wait for more than the interval. */
    schedule = begin(&hourly, NOON + 10 * 86400 * S);
    assert_int_equal(schedule.due, UPTIME + 3600 * S);
    hourly.catch_up = SCHEDULE_CATCH_UP_NO;
    schedule = begin(&hourly, NOON - 5 * 3600 * S - 600 * S);
    assert_int_equal(schedule.due, UPTIME + 3000 * S);
}

static void test_restarts_more_often_than_the_interval(void **state)
{
    struct schedule_rule daily = {.every = 86400 * S};
    int64_t last = NOON - 10 * 3600 * S;
    int runs = 0;
    (void)state;

    /* Restarted every hour for ten days: it runs about ten times, not 240 and not never. */
    for (int64_t hour = 0; hour < 240; hour++) {
        struct schedule_now now = at(hour * 3600 * S);
        struct schedule schedule;

        schedule_begin(&schedule, &daily, &now, last, (uint64_t)hour + 1);
        if (schedule.due < now.monotonic + 3600 * S) {
            last = NOON + schedule.due - UPTIME;
            runs++;
        }
    }
    assert_int_equal(runs, 10);
}

static void test_backoff(void **state)
{
    struct schedule_rule rule = {.every = 10 * S, .backoff = 15 * S, .backoff_max = 100 * S};
    struct schedule schedule = begin(&rule, 0);
    (void)state;

    assert_int_equal(next_after_run(&schedule, S, 1), 20 * S);  /* from 16 on */
    assert_int_equal(next_after_run(&schedule, S, 2), 60 * S);  /* from 51 on */
    assert_int_equal(next_after_run(&schedule, S, 3), 130 * S); /* from 121 on */
    /* Capped, however many failures there are. */
    assert_int_equal(next_after_run(&schedule, S, 4), 240 * S);
    assert_int_equal(next_after_run(&schedule, S, UINT32_MAX), 350 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), 360 * S);
}

static void test_the_calendar(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:30"), utc("15:45")}, .at_count = 2};
    struct schedule schedule = begin(&rule, 0);
    (void)state;

    assert_int_equal(schedule.due, UPTIME + 1800 * S);
    assert_int_equal(next_after_run(&schedule, 2 * 3600 * S, 0), 3 * 3600 * S + 1800 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), 3 * 3600 * S + 2700 * S);
    for (unsigned i = 0; i < rule.at_count; i++)
        calendar_free(rule.at[i]);
}

static void test_catch_up_of_the_calendar(void **state)
{
    struct schedule_rule rule = {.at = {utc("03:00")}, .at_count = 1};
    int64_t three = (15 * 3600) * S;
    struct schedule schedule;
    (void)state;

    /* As a rule what was missed is missed. */
    schedule = begin(&rule, NOON - 3 * 86400 * S);
    assert_int_equal(schedule.due, UPTIME + three);
    rule.catch_up = SCHEDULE_CATCH_UP_YES;
    schedule = begin(&rule, NOON - 3 * 86400 * S);
    assert_between(schedule.due, UPTIME, UPTIME + 30 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), three);
    /* Not when it has run since, not when it never ran, not for a time to come. */
    schedule = begin(&rule, NOON - 8 * 3600 * S);
    assert_int_equal(schedule.due, UPTIME + three);
    schedule = begin(&rule, 0);
    assert_int_equal(schedule.due, UPTIME + three);
    schedule = begin(&rule, NOON + 86400 * S);
    assert_int_equal(schedule.due, UPTIME + three);
    calendar_free(rule.at[0]);
}

/* A thousand tasks that all missed theirs do not start in one moment. */
static void test_catch_up_is_no_stampede(void **state)
{
    struct schedule_rule rule = {.every = 3600 * S};
    unsigned in_second[31] = {0};
    struct schedule_now now = at(0);
    (void)state;

    for (uint64_t i = 0; i < 1000; i++) {
        struct schedule schedule;

        schedule_begin(&schedule, &rule, &now, NOON - 86400 * S, i * 7919 + 1);
        in_second[(schedule.due - UPTIME) / S]++;
    }
    for (int i = 0; i < 30; i++)
        assert_between(in_second[i], 5, 100);
}

static void test_aligned(void **state)
{
    struct schedule_rule rule = {.every = 3600 * S, .align = true, .offset = 60 * S};
    struct schedule_now now = at(600 * S);
    struct schedule schedule;
    (void)state;

    schedule_begin(&schedule, &rule, &now, 0, 1);
    assert_int_equal(schedule.due, UPTIME + 3660 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), 2 * 3600 * S + 60 * S);
}

/* The monotonic clock goes on from `mono` since noon; the time of day is set to `real` since noon. */
static int64_t set_clock(struct schedule *schedule, int64_t mono, int64_t real)
{
    struct schedule_now now = {UPTIME + mono, NOON + real};

    return schedule_clock_was_set(schedule, &now, 0) - UPTIME;
}

static void test_the_clock_is_set(void **state)
{
    struct schedule_rule interval = {.every = 600 * S};
    struct schedule_rule calendar = {.at = {utc("*:30")}, .at_count = 1};
    struct schedule schedule;
    (void)state;

    /* An interval does not notice. */
    schedule = begin(&interval, NOON - 60 * S);
    assert_int_equal(set_clock(&schedule, 0, 3600 * S), 540 * S);
    assert_int_equal(set_clock(&schedule, 0, -3600 * S), 540 * S);
    /* 12:10 becomes 13:10: half past twelve is over, and runs now; then comes half past one. */
    schedule = begin(&calendar, 0);
    assert_int_equal(set_clock(&schedule, 600 * S, 4200 * S), 600 * S);
    schedule_started(&schedule);
    schedule_plan(&schedule, &(struct schedule_now){UPTIME + 601 * S, NOON + 4201 * S}, 0);
    assert_int_equal(schedule.due, UPTIME + 601 * S + (5400 - 4201) * S);
    /* 12:10 becomes 11:10: half past eleven comes again. */
    schedule = begin(&calendar, 0);
    assert_int_equal(set_clock(&schedule, 600 * S, -3000 * S), 600 * S + 1200 * S);
    /* Half past has just been used, and the clock is slowed by a second: not once more. */
    schedule = begin(&calendar, 0);
    schedule_started(&schedule);
    schedule_plan(&schedule, &(struct schedule_now){UPTIME + 1800 * S, NOON + 1799 * S}, 0);
    assert_int_equal(schedule.due, UPTIME + 1800 * S + 3601 * S);
    assert_int_equal(set_clock(&schedule, 1801 * S, 1798 * S), 1801 * S + 3602 * S);
    calendar_free(calendar.at[0]);
}

static void test_an_end_of_all_points(void **state)
{
    struct schedule_rule past = {.at = {utc("2020-01-01")}, .at_count = 1}, never = {0};
    struct schedule schedule = begin(&past, 0);
    (void)state;

    assert_int_equal(schedule.due, RV_FOREVER);
    schedule = begin(&never, 0);
    assert_int_equal(schedule.due, RV_FOREVER);
    assert_false(schedule_is_planned(&never));
    calendar_free(past.at[0]);
}

static void test_points(void **state)
{
    struct schedule_rule rule = {.at = {utc("2026-11-24 *:30"), utc("2026-11-24 23:59")},
                                 .at_count = 2};
    struct schedule_rule interval = {.every = 3600 * S};
    struct schedule schedule = begin(&rule, 0);
    int64_t points[14];
    (void)state;

    schedule_points(&schedule, points, 14);
    for (int64_t i = 0; i < 12; i++)
        assert_int_equal(points[i], NOON + i * 3600 * S + 1800 * S);
    assert_int_equal(points[12], NOON + 43140 * S);
    assert_int_equal(points[13], 0);
    schedule = begin(&interval, 0);
    schedule_points(&schedule, points, 1);
    assert_int_equal(points[0], 0);
    for (unsigned i = 0; i < 2; i++)
        calendar_free(rule.at[i]);
}

static void test_format(void **state)
{
    struct schedule_rule rule = {.every = 90 * S, .align = true}, none = {0};
    struct schedule_rule calendar = {.at = {utc("Mon..Fri 3:00"), utc("daily")}, .at_count = 2};
    char text[128];
    (void)state;

    schedule_format(&rule, text, sizeof(text));
    assert_string_equal(text, "every 1min 30s, aligned");
    schedule_format(&calendar, text, sizeof(text));
    assert_string_equal(text, "at Mon..Fri *-*-* 03:00:00 UTC, *-*-* 00:00:00 UTC");
    schedule_format(&none, text, sizeof(text));
    assert_string_equal(text, "");
    for (unsigned i = 0; i < 2; i++)
        calendar_free(calendar.at[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interval_stays_on_its_grid),
        cmocka_unit_test(test_offset_and_jitter),
        cmocka_unit_test(test_an_interval_goes_on_where_it_was),
        cmocka_unit_test(test_restarts_more_often_than_the_interval),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_the_calendar),
        cmocka_unit_test(test_catch_up_of_the_calendar),
        cmocka_unit_test(test_catch_up_is_no_stampede),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_the_clock_is_set),
        cmocka_unit_test(test_an_end_of_all_points),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
