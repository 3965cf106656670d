/* SPDX-License-Identifier: MIT */
/* The pause of a task after a run on request, and the points that it leaves out. */
#include "tests/host/schedules.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pause_over_another_rule),
        cmocka_unit_test(test_a_pause_over_several_rules),
        cmocka_unit_test(test_a_point_in_a_pause_over_a_reload),
        cmocka_unit_test(test_a_run_on_request_pauses),
        cmocka_unit_test(test_a_pause_is_not_before_the_first_run),
        cmocka_unit_test(test_a_pause_does_not_pass_over_what_is_owed),
        cmocka_unit_test(test_what_a_pause_leaves_out),
        cmocka_unit_test(test_a_pause_before_a_stamp_that_is_ahead),
    };

    return cmocka_run_group_tests_name("schedule_pause", tests, NULL, NULL);
}
