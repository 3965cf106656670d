/* SPDX-License-Identifier: MIT */
/* Schedules: times in, times out. No clock is read, so every moment is tried at once. */
#include <string.h>

#include "base/calendar.h"
#include "base/zone.h"
#include "host/schedule/schedule.h"
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

static struct schedule_gap gap; /* of the last begin */

static struct schedule begin_past(const struct schedule_rule *rule, const struct schedule_now *now,
                                  const struct schedule_past *past)
{
    struct schedule schedule;

    schedule_begin(&schedule, rule, now, past, 42, &gap);
    return schedule;
}

/* At noon; every point until then is settled, as the file says it. */
static struct schedule begin(const struct schedule_rule *rule, int64_t settled)
{
    struct schedule_now now = at(0);

    return begin_past(rule, &now, &(struct schedule_past){.settled = settled});
}

/* Another life begins so long after noon, with what the schedule hands on. */
static struct schedule begin_again(const struct schedule *before, int64_t since_noon, bool owed)
{
    struct schedule_now now = at(since_noon);
    struct schedule_past past;

    schedule_hand_on(before, &now, &past);
    past.owed = owed;
    return begin_past(before->rule, &now, &past);
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

/* The monotonic clock goes on from `mono` since noon; the time of day is set to `real` since noon.
 */
static int64_t set_clock(struct schedule *schedule, int64_t mono, int64_t real)
{
    struct schedule_now now = {UPTIME + mono, NOON + real};

    return schedule_clock_was_set(schedule, &now, &gap) - UPTIME;
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

/* Nor does a reload that changes the schedule begin a pause anew, or end it. */
static void test_a_pause_over_another_rule(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("01:00")}, .at_count = 1, .backoff = 600 * S},
        {.every = 86400 * S, .backoff = 600 * S},
        {.every = 86400 * S, .align = true, .backoff = 600 * S},
    };
    struct schedule_rule others[] = {
        {.at = {utc("*:*:00/10")}, .at_count = 1, .backoff = 600 * S},
        {.every = 10 * S, .backoff = 600 * S},
        {.every = 10 * S, .align = true, .backoff = 600 * S},
    };
    (void)state;

    for (int i = 0; i < 9; i++) {
        struct schedule schedule = begin(&rules[i / 3], NOON), next;
        struct schedule_now now = at(0), later = at(480 * S), over = at(700 * S);
        struct schedule_past past;

        schedule_set_pause(&schedule, &now, 1);
        schedule_hand_on(&schedule, &later, &past);
        past.failures = 1;
        next = begin_past(&others[i % 3], &later, &past);
        assert_int_equal(gap.missed, 0);
        assert_between(next.due, UPTIME + 600 * S, UPTIME + 610 * S);
        schedule_hand_on(&schedule, &over, &past);
        past.failures = 1;
        next = begin_past(&others[i % 3], &over, &past);
        assert_int_equal(gap.missed, 0);
        assert_between(next.due, UPTIME + 700 * S, UPTIME + 710 * S);
    }
    for (int i = 0; i < 3; i++) {
        calendar_free(rules[i].at[0]);
        calendar_free(others[i].at[0]);
    }
}

/* However often the schedule changes within it. */
static void test_a_pause_over_several_rules(void **state)
{
    struct schedule_rule rules[] = {
        {.every = 3600 * S, .backoff = 600 * S},
        {.every = 7200 * S, .backoff = 600 * S},
        {.at = {utc("03:00")}, .at_count = 1, .backoff = 600 * S},
        {.every = 1800 * S, .align = true, .backoff = 600 * S},
        {.every = 2 * S, .backoff = 600 * S},
    };
    struct schedule schedule = begin(&rules[0], NOON);
    struct schedule_now now = at(0);
    struct schedule_past past;
    (void)state;

    schedule_set_pause(&schedule, &now, 1);
    for (int i = 0; i < 5; i++) {
        now = at((i + 1) * 60 * S);
        schedule_hand_on(&schedule, &now, &past);
        past.failures = 1;
        schedule = begin_past(&rules[i], &now, &past);
        assert_true(schedule.due >= UPTIME + 600 * S);
    }
    assert_between(schedule.due, UPTIME + 600 * S, UPTIME + 602 * S);
    calendar_free(rules[2].at[0]);
}

/* A point that had come when the pause began waits for its end in each life. */
static void test_a_point_in_a_pause_over_a_reload(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("*:00")}, .at_count = 1, .jitter = 300 * S, .backoff = 600 * S},
        {.every = 3600 * S, .align = true, .jitter = 300 * S, .backoff = 600 * S},
        {.every = 3600 * S, .jitter = 300 * S, .backoff = 600 * S},
    };
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct schedule_now now = at(-60 * S);
        struct schedule_past past = {.settled = NOON - 3600 * S};
        struct schedule schedule = begin_past(&rules[i], &now, &past);

        assert_between(schedule.due, UPTIME, UPTIME + 300 * S);
        now = at(0);
        schedule_set_pause(&schedule, &now, 1);
        assert_int_equal(schedule.due, UPTIME + 600 * S);
        for (int j = 1; j < 4; j++) {
            now = at(j * 100 * S);
            schedule_hand_on(&schedule, &now, &past);
            past.failures = 1;
            past.owed = true;
            schedule = begin_past(&rules[i], &now, &past);
            assert_int_equal(schedule.due, UPTIME + 600 * S);
            assert_int_equal(gap.missed, 1);
        }
        now = at(700 * S);
        schedule_hand_on(&schedule, &now, &past);
        assert_int_equal(past.open, NOON);
    }
    calendar_free(rules[0].at[0]);
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

/* Over restarts ----------------------------------------------------------- */

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

/* A run on request ends so long after noon; the next start is then due, since noon. */
static rv_duration end_request(struct schedule *schedule, int64_t since_noon, unsigned failures)
{
    struct schedule_now now = at(since_noon);

    schedule_set_pause(schedule, &now, failures);
    return schedule->due - UPTIME;
}

/* Points to come within the pause are left out, and are there again when it ends early; the grid
 * stays. */
static void test_a_run_on_request_pauses(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("*:*")}, .at_count = 1, .backoff = 600 * S, .backoff_max = 3600 * S},
        {.every = 60 * S, .backoff = 600 * S, .backoff_max = 3600 * S}};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct schedule schedule = begin(&rules[i], NOON), next;
        struct schedule_now later = at(130 * S);
        struct schedule_past past;

        assert_int_equal(end_request(&schedule, S, 0), 60 * S);
        assert_int_equal(end_request(&schedule, 10 * S, 1), 660 * S);
        assert_int_equal(end_request(&schedule, 20 * S, 2), 1260 * S);
        schedule_hand_on(&schedule, &later, &past);
        past.failures = 2;
        assert_int_equal(end_request(&schedule, 130 * S, 0), 180 * S);
        assert_int_equal(end_request(&schedule, 131 * S, 0), 180 * S);
        /* Over a restart as well. */
        next = begin_past(&rules[i], &later, &past);
        assert_int_equal(next.due, UPTIME + 1260 * S);
        assert_int_equal(end_request(&next, 131 * S, 0), 180 * S);
        assert_int_equal(gap.missed, 0);
    }
    calendar_free(rules[0].at[0]);
}

static void test_a_pause_is_not_before_the_first_run(void **state)
{
    struct schedule_rule rule = {
        .every = 60 * S, .offset = 3600 * S, .backoff = 600 * S, .backoff_max = 7200 * S};
    struct schedule schedule = begin(&rule, 0);
    (void)state;

    assert_int_equal(end_request(&schedule, S, 1), 3600 * S);
    assert_int_equal(end_request(&schedule, 2 * S, 5), 7260 * S);
    assert_int_equal(end_request(&schedule, 3 * S, 0), 3600 * S);
}

/* A point that has come and waits for its start is put off, and stays open. */
static void test_a_pause_does_not_pass_over_what_is_owed(void **state)
{
    struct schedule_rule rules[] = {
        {.at = {utc("*:0/2")},
         .at_count = 1,
         .jitter = 100 * S,
         .backoff = 600 * S,
         .backoff_max = 600 * S},
        {.every = 120 * S, .jitter = 100 * S, .backoff = 600 * S, .backoff_max = 600 * S}};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct schedule schedule = begin(&rules[i], NOON), next;
        struct schedule_now start = at(721 * S + S / 2);
        rv_time due = schedule.due;

        assert_int_equal(end_request(&schedule, 121 * S, 0), due - UPTIME);
        assert_int_equal(end_request(&schedule, 121 * S, 1), 721 * S);
        /* It would follow in another life, too. */
        next = begin_again(&schedule, 230 * S, true);
        assert_true(next.due >= UPTIME + 230 * S && next.due <= UPTIME + 330 * S);
        assert_int_equal(gap.missed, 1);
        assert_int_equal(gap.first, NOON + 120 * S);
        /* The end of the pause is its turn, and an early end as well. */
        next = schedule;
        assert_int_equal(end_request(&next, 130 * S, 0), 130 * S);
        schedule_started(&schedule);
        assert_int_equal(schedule_missed(&schedule, &start), 0);
        schedule_plan(&schedule, &start, 0);
        assert_true(schedule.due >= UPTIME + 840 * S && schedule.due <= UPTIME + 940 * S);
    }
    calendar_free(rules[0].at[0]);
}

static void test_what_a_pause_leaves_out(void **state)
{
    struct schedule_rule rule = {
        .at = {utc("*:*")}, .at_count = 1, .backoff = 150 * S, .backoff_max = 3600 * S};
    struct schedule schedule = begin(&rule, NOON);
    struct schedule_now now = at(S);
    struct schedule_gap left_out;
    (void)state;

    schedule_left_out(&schedule, &now, 0, &left_out);
    assert_int_equal(left_out.missed, 0);
    schedule_left_out(&schedule, &now, 1, &left_out);
    assert_int_equal(left_out.missed, 2);
    assert_int_equal(left_out.first, NOON + 60 * S);
    assert_int_equal(left_out.last, NOON + 120 * S);
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

/* A pause goes on over reloads, where its own stamp, or that of a clock that was wrong, is ahead.
 */
static void test_a_pause_before_a_stamp_that_is_ahead(void **state)
{
    struct schedule_rule rule = {.at = {utc("*:*")}, .at_count = 1, .backoff = 3600 * S};
    struct schedule_now now = at(-30 * S);
    struct schedule_past past = {.settled = NOON + DAY};
    struct schedule schedule = begin_past(&rule, &now, &past);
    (void)state;

    assert_int_equal(next_after_run(&schedule, 30 * S, 1), 3660 * S);
    for (int i = 1; i < 6; i++) {
        now = at(i * 600 * S);
        schedule_hand_on(&schedule, &now, &past);
        past.failures = 1;
        schedule = begin_past(&rule, &now, &past);
        assert_int_equal(schedule.due, UPTIME + 3660 * S);
    }
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
        cmocka_unit_test(test_the_clock_is_set_behind_a_point_with_jitter),
        cmocka_unit_test(test_the_clock_is_wrong_for_a_moment),
        cmocka_unit_test(test_the_clock_is_set_after_a_change_of_the_rule),
        cmocka_unit_test(test_the_clock_is_wrong_over_a_run),
        cmocka_unit_test(test_the_clock_is_old_at_the_start),
        cmocka_unit_test(test_an_end_of_all_points),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_a_point_is_owed_until_its_run_begins),
        cmocka_unit_test(test_a_spread_catch_up_is_owed),
        cmocka_unit_test(test_a_point_before_the_first_run_is_caught_up_with),
        cmocka_unit_test(test_what_is_skipped_is_counted),
        cmocka_unit_test(test_what_a_run_has_skipped_is_not_owed),
        cmocka_unit_test(test_a_queued_run_is_owed),
        cmocka_unit_test(test_what_moves_the_grid),
        cmocka_unit_test(test_jitter_does_not_move_the_grid),
        cmocka_unit_test(test_backoff_goes_on),
        cmocka_unit_test(test_a_run_on_request_pauses),
        cmocka_unit_test(test_a_pause_is_not_before_the_first_run),
        cmocka_unit_test(test_a_pause_does_not_pass_over_what_is_owed),
        cmocka_unit_test(test_what_a_pause_leaves_out),
        cmocka_unit_test(test_a_past_in_the_future),
        cmocka_unit_test(test_a_point_before_a_stamp_that_is_ahead),
        cmocka_unit_test(test_a_look_at_the_clock_before_a_stamp_that_is_ahead),
        cmocka_unit_test(test_a_pause_before_a_stamp_that_is_ahead),
        cmocka_unit_test(test_a_pause_over_another_rule),
        cmocka_unit_test(test_a_pause_over_several_rules),
        cmocka_unit_test(test_a_point_in_a_pause_over_a_reload),
        cmocka_unit_test(test_a_start_while_the_clock_is_ahead),
        cmocka_unit_test(test_a_new_life_while_the_clock_is_wrong),
        cmocka_unit_test(test_a_step_before_the_stamp_of_another_rule),
        cmocka_unit_test(test_a_clock_that_is_set_over_the_stamp),
        cmocka_unit_test(test_another_rule),
        cmocka_unit_test(test_a_shorter_interval),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
