/* SPDX-License-Identifier: MIT */
/* When a task runs: by intervals, on a grid, by calendars, and after failures. No clock is read, so
 * every moment is tried at once. */
#include "tests/host/schedules.h"

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
    schedule_started(&schedule);
    assert_int_equal(schedule_missed(&schedule, &now), 3);
    assert_int_equal(next_after_run(&schedule, 35 * S, 0), 60 * S);
    /* A run that ends exactly on a point has missed that one. */
    now = at(70 * S);
    assert_int_equal(schedule_missed(&schedule, &now), 1);
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

        schedule_begin(&schedule, &daily, &now, &(struct schedule_past){.settled = last},
                       (uint64_t)hour + 1, &gap);
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

        schedule_begin(&schedule, &rule, &now, &(struct schedule_past){.settled = NOON - 86400 * S},
                       i * 7919 + 1, &gap);
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

    schedule = begin_past(&rule, &now, &(struct schedule_past){0});
    assert_int_equal(schedule.due, UPTIME + 3660 * S);
    assert_int_equal(next_after_run(&schedule, S, 0), 2 * 3600 * S + 60 * S);
}

static void test_an_end_of_all_points(void **state)
{
    struct schedule_rule past = {.at = {utc("2020-01-01")}, .at_count = 1}, never = {0};
    struct schedule schedule = begin(&past, 0);
    (void)state;

    assert_int_equal(schedule.due, RV_NEVER);
    schedule = begin(&never, 0);
    assert_int_equal(schedule.due, RV_NEVER);
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
        cmocka_unit_test(test_an_end_of_all_points),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
