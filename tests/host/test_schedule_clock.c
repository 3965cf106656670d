/* SPDX-License-Identifier: MIT */
/* Schedules when the time of day is set, or is behind the kept stamp of a last run. */
#include "tests/host/schedules.h"

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

/* A step over a point does not take its jitter, and the time that has passed since counts. */
static void test_the_clock_is_set_behind_a_point_with_jitter(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:30")}, .at_count = 1, .jitter = 600 * S};
    struct schedule schedule = begin(&rule, 0);
    int64_t jitter = schedule.due - UPTIME - 1800 * S;
    (void)state;

    assert_between(jitter, 10 * S, 590 * S);
    /* Nothing has moved, or only the clock: the same point keeps its jitter. */
    assert_int_equal(set_clock(&schedule, 500 * S, 500 * S), 1800 * S + jitter);
    assert_int_equal(set_clock(&schedule, 500 * S, 600 * S), 1700 * S + jitter);
    assert_int_equal(set_clock(&schedule, 600 * S, 1801 * S), 599 * S + jitter);
    assert_int_equal(set_clock(&schedule, 601 * S, 1802 * S), 599 * S + jitter);
    assert_int_equal(set_clock(&schedule, 601 * S, 3000 * S), 601 * S);
    calendar_free(rule.at[0]);
}

#define DAY (86400 * S)

/* At noon the point of three has run; the clock is a day back for two seconds. */
static void test_the_clock_is_wrong_for_a_moment(void **state)
{
    struct schedule_rule rule = {.at = {utc("03:00")}, .at_count = 1};
    struct schedule schedule = begin(&rule, 0);
    struct schedule again;
    struct schedule_now run = at(15 * 3600 * S);
    (void)state;

    schedule_started(&schedule);
    schedule_plan(&schedule, &run, 0);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S, 0), 39 * 3600 * S);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S + 2 * S, DAY + 2 * S), DAY + 15 * 3600 * S);
    assert_int_equal(gap.missed, 0);
    /* Also when the schedule has begun meanwhile, for a new setting or as all has restarted, and at
     * its end. */
    for (int catch_up = SCHEDULE_CATCH_UP_NO; catch_up <= SCHEDULE_CATCH_UP_YES; catch_up++) {
        rule.catch_up = (enum schedule_catch_up)catch_up;
        again = begin_past(&rule, &(struct schedule_now){UPTIME, NOON},
                           &(struct schedule_past){.settled = NOON + DAY + 15 * 3600 * S - 1,
                                                   .open = NOON + DAY + 15 * 3600 * S,
                                                   .set_back = true});
        assert_int_equal(again.due, UPTIME + 15 * 3600 * S);
        again = begin_again(&again, S, true);
        assert_int_equal(set_clock(&again, 2 * S, DAY + 2 * S), 15 * 3600 * S);
        assert_int_equal(gap.missed, 0);
    }
    /* A point that came meanwhile was for nobody to run but us. */
    rule.catch_up = SCHEDULE_CATCH_UP_NO;
    assert_int_equal(set_clock(&schedule, 39 * 3600 * S - S, 14 * 3600 * S), 40 * 3600 * S - S);
    assert_int_equal(set_clock(&schedule, 39 * 3600 * S, DAY + 15 * 3600 * S + S), 39 * 3600 * S);
    /* Set back for good it comes again, and is passed again by a step. */
    schedule = begin(&rule, 0);
    schedule_started(&schedule);
    schedule_plan(&schedule, &run, 0);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S, 0), 39 * 3600 * S);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S + S, 15 * 3600 * S), 24 * 3600 * S + S);
    calendar_free(rule.at[0]);
}

/* Points of the new rule before the old one's next point were settled by nobody. */
static void test_the_clock_is_set_after_a_change_of_the_rule(void **state)
{
    struct schedule_rule weekly = {.at = {utc("Thu 03:00")}, .at_count = 1};
    struct schedule_rule daily = {.at = {utc("03:00")}, .at_count = 1};
    struct schedule schedule = begin(&weekly, NOON);
    struct schedule_now now = at(S);
    struct schedule_past past;
    (void)state;

    schedule_hand_on(&schedule, &now, &past);
    schedule = begin_past(&daily, &now, &past);
    assert_int_equal(schedule.due, UPTIME + 15 * 3600 * S);
    /* The machine sleeps for a night. */
    assert_int_equal(set_clock(&schedule, 8 * 3600 * S, 20 * 3600 * S), 8 * 3600 * S);
    calendar_free(weekly.at[0]);
    calendar_free(daily.at[0]);
}

/* At noon the point of three has run; set back, it comes again and runs; and then the clock is
 * right. */
static void test_the_clock_is_wrong_over_a_run(void **state)
{
    struct schedule_rule rule = {.at = {utc("03:00")}, .at_count = 1};
    struct schedule schedule = begin(&rule, 0);
    struct schedule_now run = at(15 * 3600 * S),
                        wrong = {UPTIME + 24 * 3600 * S + 60 * S, NOON - 9 * 3600 * S};
    (void)state;

    schedule_started(&schedule);
    schedule_plan(&schedule, &run, 0);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S, -9 * 3600 * S - 60 * S),
                     24 * 3600 * S + 60 * S);
    schedule_started(&schedule);
    schedule_plan(&schedule, &wrong, 0);
    assert_int_equal(set_clock(&schedule, 24 * 3600 * S + 120 * S, DAY + 120 * S),
                     DAY + 15 * 3600 * S);
    assert_int_equal(gap.missed, 0);
    calendar_free(rule.at[0]);
}

/* The clock is an hour ahead, and reeved starts anew; then it is put right, and set over a point.
 */
static void test_a_start_while_the_clock_is_ahead(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:30")}, .at_count = 1};
    struct schedule_now ahead = at(3900 * S);
    struct schedule_past past = {.settled = NOON + 5400 * S - 1};
    struct schedule schedule = begin_past(&rule, &ahead, &past);
    (void)state;

    assert_int_equal(schedule.due, UPTIME + 5400 * S);
    assert_int_equal(set_clock(&schedule, 3910 * S, 310 * S), 5400 * S);
    assert_int_equal(set_clock(&schedule, 3920 * S, 1801 * S), 3920 * S);
    assert_false(gap.skipped);
    calendar_free(rule.at[0]);
}

/* The clock is a day back while the schedule begins anew, before its first run: what was settled by
 * then is no point. */
static void test_a_new_life_while_the_clock_is_wrong(void **state)
{
    struct schedule_rule rule = {.at = {utc("03:00")}, .at_count = 1};
    struct schedule_past past = {.settled = NOON - 9 * 3600 * S};
    (void)state;

    for (int catch_up = SCHEDULE_CATCH_UP_BY_KIND; catch_up <= SCHEDULE_CATCH_UP_YES; catch_up++) {
        struct schedule_now now = at(30 * S), wrong = {UPTIME + 3660 * S, NOON + 3660 * S - DAY};
        struct schedule schedule;
        struct schedule_past handed;

        rule.catch_up = (enum schedule_catch_up)catch_up;
        schedule = begin_past(&rule, &now, &past);
        set_clock(&schedule, 3600 * S, 3600 * S - DAY);
        schedule_hand_on(&schedule, &wrong, &handed);
        handed.owed = true;
        schedule = begin_past(&rule, &wrong, &handed);
        assert_int_equal(set_clock(&schedule, 4200 * S, 4200 * S), 15 * 3600 * S);
        assert_int_equal(gap.missed, 0);
    }
    calendar_free(rule.at[0]);
}

/* The stamp of another rule, the next point of which was yet to come. */
static void test_a_step_before_the_stamp_of_another_rule(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:30")}, .at_count = 1};
    struct schedule_now now = at(0);
    struct schedule_past past = {.settled = NOON + 5 * DAY + 12345 * S};
    struct schedule schedule;
    (void)state;

    /* Over a point: it is due, and not lost. */
    for (int64_t step = 1801 * S; step <= 1860 * S; step += 59 * S) {
        schedule = begin_past(&rule, &now, &past);
        assert_int_equal(schedule.due, UPTIME + 1800 * S);
        assert_int_equal(set_clock(&schedule, S, step), S);
        assert_false(gap.skipped);
    }
    /* A day back and right again: what has run does not come again. */
    schedule = begin_past(&rule, &now, &past);
    assert_int_equal(next_after_run(&schedule, S, 0), 5400 * S);
    set_clock(&schedule, 1900 * S, 1900 * S - DAY);
    assert_int_equal(set_clock(&schedule, 1902 * S, 1902 * S), 5400 * S);
    assert_int_equal(gap.missed, 0);
    calendar_free(rule.at[0]);
}

/* A machine without a clock of its own begins in the past; what passed while it was off is as at
 * any start. */
static void test_the_clock_is_old_at_the_start(void **state)
{
    struct schedule_rule rule = {.at = {utc("03:00")}, .at_count = 1};
    struct schedule_now old = {UPTIME, NOON - 100 * DAY};
    struct schedule_past past = {
        .settled = NOON - 9 * 3600 * S - 1, .open = NOON - 9 * 3600 * S, .set_back = true};
    struct schedule schedule = begin_past(&rule, &old, &past);
    (void)state;

    assert_int_equal(schedule.due, UPTIME + 15 * 3600 * S);
    assert_int_equal(set_clock(&schedule, S, 0), 15 * 3600 * S + S);
    assert_int_equal(gap.missed, 1);
    assert_true(gap.skipped && !gap.stepped);
    assert_int_equal(gap.first, NOON - 9 * 3600 * S);
    rule.catch_up = SCHEDULE_CATCH_UP_YES;
    schedule = begin_past(&rule, &old, &past);
    assert_between(set_clock(&schedule, S, 0), S, 31 * S);
    assert_true(gap.missed == 1 && !gap.skipped);
    /* It was there, under the wrong date: it owes the point. */
    rule.catch_up = SCHEDULE_CATCH_UP_NO;
    schedule = begin_past(&rule, &old, &past);
    assert_int_equal(set_clock(&schedule, 10 * 3600 * S, 0), 10 * 3600 * S);
    assert_true(gap.stepped && gap.missed == 1);
    calendar_free(rule.at[0]);
}

static void test_a_past_in_the_future(void **state)
{
    struct schedule_rule daily = {.every = 86400 * S};
    struct schedule_rule calendar = {
        .at = {utc("15:00")}, .at_count = 1, .catch_up = SCHEDULE_CATCH_UP_YES};
    struct schedule schedule = begin(&calendar, NOON + 400 * 86400 * S);
    (void)state;

    assert_int_equal(schedule.due, UPTIME + 3 * 3600 * S);
    assert_int_equal(gap.missed, 0);
    /* Restarts more often than the interval do not put it off for ever. */
    schedule = begin(&daily, NOON + 400 * 86400 * S);
    for (int64_t hour = 1; hour < 24; hour++)
        schedule = begin_again(&schedule, hour * 3600 * S, false);
    assert_int_equal(schedule.due, UPTIME + 86400 * S);
    calendar_free(calendar.at[0]);
}

/* The stamp of a pause that is over, or of a clock that was wrong; noon comes all the same, and is
 * owed. */
static void test_a_point_before_a_stamp_that_is_ahead(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("*:00,30")}, .at_count = 1, .jitter = 600 * S},
        {.every = 1800 * S, .align = true, .jitter = 600 * S},
        {.every = 1800 * S, .jitter = 600 * S},
    };
    struct schedule_rule other = {.at = {utc("*:15")}, .at_count = 1};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct schedule_now before = at(-900 * S), now = at(S);
        struct schedule_past past = {.settled = i < 2 ? NOON + 10 * DAY : NOON - 1800 * S};
        struct schedule schedule = begin_past(&rules[i], &before, &past), next;

        assert_between(schedule.due, UPTIME, UPTIME + 600 * S);
        /* It is handed on as often as that takes. */
        next = begin_again(&schedule, S, true);
        assert_between(next.due, UPTIME + S, UPTIME + 600 * S);
        assert_int_equal(gap.missed, 1);
        next = begin_again(&next, 2 * S, true);
        assert_between(next.due, UPTIME + 2 * S, UPTIME + 600 * S);
        assert_int_equal(gap.missed, 1);
        next = begin_again(&next, 700 * S, true);
        assert_between(next.due, UPTIME + 700 * S, UPTIME + (i < 2 ? 700 : 1300) * S);
        assert_false(gap.skipped);
        /* Once its run has begun, it is not run again; nor is what the stamp settles, when the
         * clock gets there. */
        schedule_started(&next);
        next = begin_again(&next, 701 * S, true);
        assert_int_equal(gap.missed, 0);
        assert_between(next.due, UPTIME + 1800 * S, UPTIME + 2400 * S);
        if (i < 2) {
            set_clock(&next, 702 * S, 10 * DAY + S);
            assert_int_equal(gap.missed, 0);
        }
        /* By another rule it had come as well. */
        schedule_hand_on(&schedule, &now, &past);
        past.owed = true;
        next = begin_past(&other, &now, &past);
        assert_int_equal(gap.missed, 1);
        assert_int_equal(next.due, now.monotonic);
    }
    calendar_free(rules[0].at[0]);
    calendar_free(other.at[0]);
}

/* The same, of the last point before the stamp: a look at the clock does not take it for one that
 * has run. */
static void test_a_look_at_the_clock_before_a_stamp_that_is_ahead(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:00,30")}, .at_count = 1, .jitter = 600 * S};
    struct schedule_now before = at(-900 * S);
    struct schedule_past past = {.settled = NOON + 1800 * S - 1};
    struct schedule schedule = begin_past(&rule, &before, &past), next;
    rv_time due = schedule.due - UPTIME;
    (void)state;

    assert_between(due, 0, 600 * S);
    assert_int_equal(set_clock(&schedule, 1, 1), due);
    next = begin_again(&schedule, 1, true);
    due = next.due - UPTIME;
    assert_between(due, 1, 600 * S);
    assert_int_equal(set_clock(&next, 2, 2), due);
    next = begin_again(&schedule, 700 * S, true);
    assert_int_equal(set_clock(&next, 700 * S, 700 * S), 700 * S);
    calendar_free(rule.at[0]);
}

/* A machine without a clock of its own begins with a wrong one, whose point has come and waits for
 * its start when the clock is set. */
static void test_a_clock_that_is_set_over_the_stamp(void **state)
{
    static const enum schedule_catch_up kinds[] = {SCHEDULE_CATCH_UP_NO, SCHEDULE_CATCH_UP_YES};
    struct schedule_rule rule = {.at = {utc("*:00/10")}, .at_count = 1, .jitter = 300 * S};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct schedule_now now = at(-60 * S);
        struct schedule_past past = {.settled = NOON + 30 * DAY + 3600 * S};
        struct schedule schedule;

        rule.catch_up = kinds[i];
        schedule = begin_past(&rule, &now, &past);
        assert_between(schedule.due, UPTIME, UPTIME + 300 * S);
        set_clock(&schedule, 0, 30 * DAY + 3600 * S + 4080 * S);
        /* As at a start: what came before this began is caught up with, or is not. */
        assert_int_equal(gap.missed, 6);
        assert_int_equal(gap.first, NOON + 30 * DAY + 4200 * S);
        assert_int_equal(gap.skipped, rule.catch_up == SCHEDULE_CATCH_UP_NO);
        assert_false(gap.stepped);
        if (gap.skipped)
            assert_between(schedule.due, UPTIME + 120 * S, UPTIME + 420 * S);
        else
            assert_between(schedule.due, UPTIME, UPTIME + 300 * S);
    }
    calendar_free(rule.at[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_is_set),
        cmocka_unit_test(test_the_clock_is_set_behind_a_point_with_jitter),
        cmocka_unit_test(test_the_clock_is_wrong_for_a_moment),
        cmocka_unit_test(test_the_clock_is_set_after_a_change_of_the_rule),
        cmocka_unit_test(test_the_clock_is_wrong_over_a_run),
        cmocka_unit_test(test_a_start_while_the_clock_is_ahead),
        cmocka_unit_test(test_a_new_life_while_the_clock_is_wrong),
        cmocka_unit_test(test_a_step_before_the_stamp_of_another_rule),
        cmocka_unit_test(test_the_clock_is_old_at_the_start),
        cmocka_unit_test(test_a_past_in_the_future),
        cmocka_unit_test(test_a_point_before_a_stamp_that_is_ahead),
        cmocka_unit_test(test_a_look_at_the_clock_before_a_stamp_that_is_ahead),
        cmocka_unit_test(test_a_clock_that_is_set_over_the_stamp),
    };

    return cmocka_run_group_tests_name("schedule_clock", tests, NULL, NULL);
}
