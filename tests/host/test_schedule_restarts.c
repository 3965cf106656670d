/* SPDX-License-Identifier: MIT */
/* Schedules over restarts: which points are owed, and which rule has changed. */
#include "tests/host/schedules.h"

/* Noon and half past are due, each within ten minutes. */
static void test_a_point_is_owed_until_its_run_begins(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:00,30")}, .at_count = 1, .jitter = 600 * S};
    struct schedule schedule = begin(&rule, NOON - 900 * S), next;
    (void)state;

    /* A second before, a second after, and at the last moment, whatever catch-up says. */
    next = begin_again(&schedule, -S, false);
    assert_between(next.due, UPTIME, UPTIME + 600 * S);
    next = begin_again(&schedule, S, false);
    assert_between(next.due, UPTIME + S, UPTIME + 600 * S);
    assert_int_equal(gap.missed, 1);
    assert_false(gap.skipped);
    next = begin_again(&schedule, 600 * S, false);
    assert_int_equal(next.due, UPTIME + 600 * S);
    /* It is handed on as often as that takes. */
    next = begin_again(&next, 600 * S, false);
    assert_int_equal(next.due, UPTIME + 600 * S);
    /* After that it is skipped, and said so; or run at once, if nobody had stopped the task. */
    next = begin_again(&schedule, 601 * S, false);
    assert_between(next.due, UPTIME + 1800 * S, UPTIME + 2400 * S);
    assert_true(gap.skipped);
    assert_int_equal(gap.missed, 1);
    assert_int_equal(gap.first, NOON);
    assert_int_equal(gap.last, NOON);
    next = begin_again(&schedule, 601 * S, true);
    assert_int_equal(next.due, UPTIME + 601 * S);
    assert_false(gap.skipped);
    /* Once its run has begun, it is not run again. */
    schedule_started(&schedule);
    next = begin_again(&schedule, S, true);
    assert_between(next.due, UPTIME + 1800 * S, UPTIME + 2400 * S);
    assert_int_equal(gap.missed, 0);
    calendar_free(rule.at[0]);
}

static void test_a_spread_catch_up_is_owed(void **state)
{
    struct schedule_rule rule = {
        .at = {utc("03:00")}, .at_count = 1, .catch_up = SCHEDULE_CATCH_UP_YES};
    struct schedule schedule = begin(&rule, NOON - 3 * 86400 * S), next;
    (void)state;

    assert_between(schedule.due, UPTIME, UPTIME + 30 * S);
    assert_int_equal(gap.missed, 3);
    assert_false(gap.skipped);
    next = begin_again(&schedule, 1, false);
    assert_between(next.due, UPTIME, UPTIME + 30 * S + 1);
    assert_int_equal(gap.missed, 3);
    /* A look at the clock, and a correction of it, leave the spread as it is. */
    assert_int_equal(set_clock(&next, 2, 2), next.due - UPTIME);
    assert_int_equal(set_clock(&next, 2, -S / 2), next.due - UPTIME);
    schedule_started(&next);
    next = begin_again(&next, 60 * S, true);
    assert_int_equal(next.due, UPTIME + 15 * 3600 * S);
    calendar_free(rule.at[0]);
}

/* A task that has never run was seen all the same. */
static void test_a_point_before_the_first_run_is_caught_up_with(void **state)
{
    struct schedule_rule rule = {
        .at = {utc("13:00")}, .at_count = 1, .catch_up = SCHEDULE_CATCH_UP_YES};
    struct schedule schedule = begin(&rule, 0), next;
    (void)state;

    assert_int_equal(schedule.due, UPTIME + 3600 * S);
    next = begin_again(&schedule, 2 * 3600 * S, false);
    assert_between(next.due, UPTIME + 2 * 3600 * S, UPTIME + 2 * 3600 * S + 30 * S);
    calendar_free(rule.at[0]);
}

static void test_what_is_skipped_is_counted(void **state)
{
    struct schedule_rule calendar = {.at = {utc("*:01,31")}, .at_count = 1};
    struct schedule_rule interval = {.every = 600 * S, .catch_up = SCHEDULE_CATCH_UP_NO};
    (void)state;

    begin(&calendar, NOON - 7200 * S);
    assert_true(gap.skipped);
    assert_int_equal(gap.missed, 4);
    assert_int_equal(gap.first, NOON - 7140 * S);
    assert_int_equal(gap.last, NOON - 1740 * S);
    begin(&interval, NOON - 1500 * S);
    assert_true(gap.skipped);
    assert_int_equal(gap.missed, 2);
    assert_int_equal(gap.first, NOON - 900 * S);
    assert_int_equal(gap.last, NOON - 300 * S);
    begin(&calendar, NOON - 1000 * 86400 * S);
    assert_int_equal(gap.missed, SCHEDULE_MISSED_MAX);
    calendar_free(calendar.at[0]);
}

/* A run of noon was under way until a second before the end; what came meanwhile is settled. */
static void test_what_a_run_has_skipped_is_not_owed(void **state)
{
    struct schedule_rule calendar = {.at = {utc("*:*")}, .at_count = 1};
    struct schedule_rule interval = {.every = 60 * S};
    struct schedule_now now = at(210 * S);
    struct schedule_past past = {
        .settled = NOON, .open = NOON + 60 * S, .passed_until = NOON + 190 * S, .owed = true};
    struct schedule schedule;
    (void)state;

    schedule = begin_past(&calendar, &now, &past);
    assert_int_equal(gap.in_run, 3);
    assert_int_equal(gap.missed, 0);
    assert_int_equal(schedule.due, UPTIME + 240 * S);
    schedule = begin_past(&interval, &now, &past);
    assert_int_equal(gap.in_run, 3);
    assert_int_equal(gap.missed, 0);
    assert_int_equal(schedule.due, UPTIME + 240 * S);
    /* Without such a run they are held until it ends, and owed. */
    past.passed_until = 0;
    schedule = begin_past(&calendar, &now, &past);
    assert_int_equal(gap.missed, 3);
    assert_int_equal(schedule.due, UPTIME + 210 * S);
    schedule = begin_past(&interval, &now, &past);
    assert_int_equal(gap.missed, 3);
    assert_between(schedule.due, UPTIME + 210 * S, UPTIME + 216 * S);
    calendar_free(calendar.at[0]);
}

/* A run has missed points, and one more follows it: until that begins they are open. */
static void test_a_queued_run_is_owed(void **state)
{
    struct schedule_rule rules[] = {{.at = {utc("*:00,30")}, .at_count = 1}, {.every = 1800 * S}};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct schedule schedule = begin(&rules[i], NOON - 1800 * S), next;
        struct schedule_now now = at(4000 * S);

        schedule_started(&schedule);
        assert_int_equal(schedule_missed(&schedule, &now), 2);
        schedule_resume(&schedule, &now);
        assert_int_equal(schedule.due, UPTIME + 4000 * S);
        next = begin_again(&schedule, 4000 * S, true);
        assert_between(next.due, UPTIME + 4000 * S, UPTIME + (i == 0 ? 4000 : 4030) * S);
        schedule_started(&schedule);
        assert_int_equal(schedule_missed(&schedule, &now), 0);
        next = begin_again(&schedule, 4000 * S, true);
        assert_int_equal(next.due, UPTIME + 5400 * S);
        now = at(5500 * S);
        schedule_pass(&schedule, &now);
        next = begin_again(&schedule, 5500 * S, true);
        assert_int_equal(next.due, UPTIME + 7200 * S);
    }
    calendar_free(rules[0].at[0]);
}

/* One run makes up for the points; what comes after it is on the old grid, unless it was a
 * catch-up. */
static void test_what_moves_the_grid(void **state)
{
    static const struct {
        enum schedule_catch_up catch_up;
        bool owed;
        int64_t next; /* in seconds, after a restart at 130 s */
    } cases[] = {
        {SCHEDULE_CATCH_UP_YES, false, 190},
        {SCHEDULE_CATCH_UP_YES, true, 180},
        {SCHEDULE_CATCH_UP_NO, false, 180},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schedule_rule rule = {.every = 60 * S, .catch_up = cases[i].catch_up};
        struct schedule schedule = begin(&rule, NOON);

        schedule = begin_again(&schedule, 130 * S, cases[i].owed);
        assert_int_equal(gap.missed, 2);
        if (!gap.skipped)
            next_after_run(&schedule, S, 0);
        assert_int_equal(schedule.due, UPTIME + cases[i].next * S);
    }
}

static void test_jitter_does_not_move_the_grid(void **state)
{
    struct schedule_rule rule = {.every = 3600 * S, .jitter = 1800 * S};
    struct schedule schedule = begin(&rule, 0);
    (void)state;

    for (int64_t hour = 0; hour < 100; hour++) {
        int64_t point = UPTIME + hour * 3600 * S;

        assert_between(schedule.due, point, point + 1800 * S);
        /* Before its start, and while it runs. */
        schedule = begin_again(&schedule, schedule.due - UPTIME - 1, hour % 2);
        assert_between(schedule.due, point, point + 1800 * S);
        schedule_started(&schedule);
        schedule = begin_again(&schedule, schedule.due - UPTIME + 1, hour % 2);
    }
}

static void test_backoff_goes_on(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("*:*")}, .at_count = 1, .backoff = 600 * S, .backoff_max = 3600 * S},
        {.every = 60 * S, .backoff = 600 * S, .backoff_max = 3600 * S}};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct schedule schedule = begin(&rules[i], NOON - 60 * S), next;
        struct schedule_now now = at(S), later = at(300 * S);
        struct schedule_past past;

        schedule_started(&schedule);
        assert_int_equal(schedule_plan(&schedule, &now, 2), UPTIME + 1260 * S);
        schedule_hand_on(&schedule, &later, &past);
        past.failures = 2;
        next = begin_past(&rules[i], &later, &past);
        assert_int_equal(next.due, UPTIME + 1260 * S);
        assert_int_equal(gap.missed, 0);
        /* Nor does a step of the clock end it. */
        assert_int_equal(set_clock(&next, 300 * S, 300 * S + 60 * S),
                         i == 0 ? 1200 * S + 60 * S : 1260 * S);
        /* Without a failure such a time is of a clock that was wrong. */
        past.failures = 0;
        next = begin_past(&rules[i], &later, &past);
        assert_int_equal(next.due, UPTIME + 360 * S);
    }
    calendar_free(rules[0].at[0]);
}

/* Earlier points of another rule were never due; those that had come by the old one are owed. */
static void test_another_rule(void **state)
{
    struct schedule_rule before = {.at = {utc("15:00")}, .at_count = 1};
    struct schedule_rule after = {.at = {utc("12:30")}, .at_count = 1};
    struct schedule_rule daily = {.every = 86400 * S};
    struct schedule schedule = begin(&before, NOON - 60 * S);
    struct schedule_now now = at(3600 * S);
    struct schedule_past past;
    (void)state;

    schedule_hand_on(&schedule, &now, &past);
    past.owed = true;
    schedule = begin_past(&after, &now, &past);
    assert_int_equal(gap.missed, 0);
    assert_int_equal(schedule.due, UPTIME + (1800 + 86400) * S);
    now = at(3 * 3600 * S + S);
    schedule = begin(&before, NOON - 60 * S);
    schedule_hand_on(&schedule, &now, &past);
    past.owed = true;
    schedule = begin_past(&after, &now, &past);
    assert_int_equal(gap.missed, 1);
    assert_int_equal(schedule.due, UPTIME + 3 * 3600 * S + S);
    /* From an interval to a time of day. */
    schedule = begin(&daily, NOON - 7200 * S);
    now = at(3600 * S);
    schedule_hand_on(&schedule, &now, &past);
    past.owed = true;
    schedule = begin_past(&after, &now, &past);
    assert_int_equal(gap.missed, 0);
    assert_int_equal(schedule.due, UPTIME + (1800 + 86400) * S);
    calendar_free(before.at[0]);
    calendar_free(after.at[0]);
}

/* Earlier points of a shorter interval were never due, and are neither made up for nor counted. */
static void test_a_shorter_interval(void **state)
{
    struct schedule_rule hour = {.every = 3600 * S}, minute = {.every = 60 * S};
    struct schedule schedule;
    struct schedule_past past;
    (void)state;

    for (int owed = 0; owed < 2; owed++)
        for (int catch_up = SCHEDULE_CATCH_UP_NO; catch_up <= SCHEDULE_CATCH_UP_YES; catch_up++) {
            struct schedule_now now = at(190 * S);

            minute.catch_up = (enum schedule_catch_up)catch_up;
            schedule = begin(&hour, NOON - 5 * S);
            schedule_hand_on(&schedule, &now, &past);
            past.owed = owed;
            schedule = begin_past(&minute, &now, &past);
            assert_int_equal(gap.missed, 0);
            assert_int_equal(schedule.due, UPTIME + (240 - 5) * S);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_point_is_owed_until_its_run_begins),
        cmocka_unit_test(test_a_spread_catch_up_is_owed),
        cmocka_unit_test(test_a_point_before_the_first_run_is_caught_up_with),
        cmocka_unit_test(test_what_is_skipped_is_counted),
        cmocka_unit_test(test_what_a_run_has_skipped_is_not_owed),
        cmocka_unit_test(test_a_queued_run_is_owed),
        cmocka_unit_test(test_what_moves_the_grid),
        cmocka_unit_test(test_jitter_does_not_move_the_grid),
        cmocka_unit_test(test_backoff_goes_on),
        cmocka_unit_test(test_another_rule),
        cmocka_unit_test(test_a_shorter_interval),
    };

    return cmocka_run_group_tests_name("schedule_restarts", tests, NULL, NULL);
}
