/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions. calendar_compare.py has many more, and systemd's answers to them; here are
 * those that must hold without it, and what it cannot see: errors, microseconds, bounds.
 */
#include "tests/support/test.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/text.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static struct zone *utc, *berlin;

static int set_up(void **state)
{
    (void)state;
    return zone_load("UTC", &utc) < 0 || zone_from_rule(BERLIN, &berlin) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    zone_unref(utc);
    zone_unref(berlin);
    return 0;
}

/* "2022-12-31 23:59:59" in UTC, with as many decimals as there are. */
static int64_t instant(const char *text)
{
    struct civil civil = {.month = 1};
    char decimals[10] = "";
    int count = sscanf(text, "%d-%d-%d %d:%d:%d.%9s", &civil.year, &civil.month, &civil.day,
                       &civil.hour, &civil.minute, &civil.second, decimals);

    assert_true(count >= 6);
    for (size_t i = strlen(decimals); i < 9; i++)
        decimals[i] = '0';
    return civil_to_seconds(&civil) * NSEC_PER_SEC + strtol(decimals, NULL, 10);
}

static struct calendar *parse(const char *text, struct zone *zone)
{
    struct calendar *calendar = NULL;
    const char *expected = NULL;
    int r = calendar_parse_in(text, zone, &calendar, &expected);

    if (r < 0)
        fail_msg("\"%s\": %s, expected %s", text, strerror(-r), expected ? expected : "nothing");
    return calendar;
}

static void assert_form(const char *text, const char *form)
{
    cleanup_calendar struct calendar *calendar = parse(text, berlin), *again = NULL;
    cleanup_text struct text first = {0}, second = {0};

    calendar_format(calendar, &first);
    assert_string_equal(text_string(&first), form);
    /* The normalised form means the same. */
    again = parse(form, berlin);
    calendar_format(again, &second);
    assert_string_equal(text_string(&second), form);
}

static void test_forms(void **state)
{
    static const char *const forms[][2] = {
        {"Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"},
        {"Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"},
        {"Wed..Wed,Wed *-1", "Wed *-*-01 00:00:00"},
        {"Wed, 17:48", "Wed *-*-* 17:48:00"},
        {"monday..FRIDAY", "Mon..Fri *-*-* 00:00:00"},
        {"Mon-Tue 5:00", "Mon,Tue *-*-* 05:00:00"},
        {"Mon..Sun 5:00", "*-*-* 05:00:00"},
        {"10-15", "*-10-15 00:00:00"},
        {"12,14,13,12:20,10,30", "*-*-* 12,13,14:10,20,30:00"},
        {"2003-02..04-05", "2003-02..04-05 00:00:00"},
        {"05:40:23.4200004/3.1700005", "*-*-* 05:40:23.420000/3.170001"},
        {"*:2/3", "*-*-* *:02/3:00"},
        {"*-02~03", "*-02~03 00:00:00"},
        {"*-*~*", "*-*-* 00:00:00"},
        {"0..22/5:0", "*-*-* 00..20/5:00:00"},
        {"1..1:0", "*-*-* 01:00:00"},
        {"*:*:5,0/1", "*-*-* *:*:*"},
        {"*:*:1..3", "*-*-* *:*:01..03"},
        {"*:*:0.1..0.9/0.2", "*-*-* *:*:00.100000..00.900000/0.200000"},
        {"69-1-1", "2069-01-01 00:00:00"},
        {"70-1-1", "1970-01-01 00:00:00"},
        {"2022-01-01 ", "2022-01-01 00:00:00"},
        {"@1700000000", "2023-11-14 22:13:20 UTC"},
        {"@5 UTC", "1970-01-01 00:00:05 UTC"},
        {"Minutely", "*-*-* *:*:00"},
        {"hourly", "*-*-* *:00:00"},
        {"daily utc", "*-*-* 00:00:00 UTC"},
        {"weekly", "Mon *-*-* 00:00:00"},
        {"monthly", "*-*-01 00:00:00"},
        {"quarterly", "*-01,04,07,10-01 00:00:00"},
        {"bi-annually", "*-01,07-01 00:00:00"},
        {"anually", "*-01-01 00:00:00"},
        {"3:00 cest", "*-*-* 03:00:00 CEST"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        assert_form(forms[i][0], forms[i][1]);
}

static void assert_refused(const char *text, int error, const char *expected_part)
{
    struct calendar *calendar = NULL;
    const char *expected = NULL;
    int r = calendar_parse_in(text, utc, &calendar, &expected);

    if (r != error || !strstr(expected, expected_part))
        fail_msg("\"%s\": %s, expected %s", text, strerror(-r), expected ? expected : "nothing");
    assert_null(calendar);
}

static void test_refusals(void **state)
{
    static const char *const bad[][2] = {
        {"", "such as Mon..Fri 03:00"},
        {"xyz", "such as Mon..Fri 03:00"},
        {" 2:00", "such as Mon..Fri 03:00"},
        {"+1:00", "such as Mon..Fri 03:00"},
        {"UTC", "such as Mon..Fri 03:00"},
        {" UTC", "such as Mon..Fri 03:00"},
        {"Mon,,Tue", "weekdays"},
        {"Mon..", "weekdays"},
        {"Mon.Tue", "weekdays"},
        {"Mon..Tue..Wed", "weekdays"},
        {"Fri..Mon 3:00", "weekdays"},
        {"Mon3:00", "weekdays"},
        {"Mond", "weekdays"},
        {"Mon Tue", "a time"},
        {"2022-01-01-01", "a date"},
        {"2022-01-01T03:00", "a date"},
        {"*~1-1", "a date"},
        {"2022-1.5-1", "a date"},
        {"3", "a time"},
        {"2:00 ", "a time"},
        {"1:2:3:4", "a time"},
        {"0x1:00", "a time"},
        {"1::2", "a time"},
        {"1,2,,4:00", "a time"},
        {"1..:00", "a time"},
        {"0/0:0", "a time"},
        {"*:*:1.", "a time"},
        {"*:*:*/2", "a time"},
        {"*:*:1..1.5", "a time"},
        {"2147483648:0", "a time"},
        {"99999999999999999999:0", "a time"},
        {"2022-1-1 3", "a time"},
        {"24:00", "from 1970"},
        {"*:60", "from 1970"},
        {"*:*:60", "from 1970"},
        {"*:*:59.9999999", "from 1970"},
        {"*-13-1", "from 1970"},
        {"*-*-32", "from 1970"},
        {"*-*-0", "from 1970"},
        {"*-*~29", "from 1970"},
        {"*-*~01,28", "from 1970"},
        {"9..5:0", "from 1970"},
        {"*:0/60", "from 1970"},
        {"1969-1-1", "from 1970"},
        {"2200-1-1", "from 1970"},
        {"@", "seconds since"},
        {"@-5", "seconds since"},
        {"@1.5", "seconds since"},
        {"@5 03:00", "seconds since"},
        {"@99999999999999999999", "seconds since"},
        {"@7258118400", "from 1970"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_refused(bad[i][0], -EINVAL, bad[i][1]);
    assert_refused("2:00 Europe/Nowhere", -ENOENT, "time zone");
    assert_refused("daily europe/berlin", -ENOENT, "time zone");
    assert_refused("2:00 Europe/../UTC", -ENOENT, "time zone");
    assert_refused("2:00x Europe/Nowhere", -EINVAL, "a time");
}

/* No text is too long, but lists have an end. */
static void test_long_lists(void **state)
{
    cleanup_text struct text text = {0};
    cleanup_calendar struct calendar *calendar = NULL;
    (void)state;

    for (int i = 0; i < 240; i++)
        text_append_format(&text, "%d,", i % 60);
    text_append(&text, "0:00");
    assert_refused(text_string(&text), -EINVAL, "from 1970");
    text_free(&text);
    text = (struct text){0};
    text_append(&text, "*:");
    for (int i = 0; i < 240; i++)
        text_append_format(&text, "%d,", i % 60);
    calendar = parse((text_append(&text, "0"), text_string(&text)), utc);
    text_append(&text, ",0");
    assert_refused(text_string(&text), -EINVAL, "a time");
}

/* The elapses after a time, one after another; "" ends the list, and NULL says that it is all. */
static void assert_elapses(const char *expression, struct zone *zone, const char *after,
                           const char *const elapses[])
{
    cleanup_calendar struct calendar *calendar = parse(expression, zone);
    int64_t now = instant(after);

    for (; *elapses && **elapses; elapses++) {
        char text[CLOCK_TEXT_SIZE];
        int64_t wanted = instant(*elapses), next = 0;
        int r = calendar_next(calendar, now, &next);

        if (r < 0 || next != wanted)
            fail_msg("\"%s\": %s instead of %s", expression,
                     r < 0 ? strerror(-r) : clock_format(next, text, sizeof(text)), *elapses);
        /* Strictly after, and from anywhere in between. */
        assert_int_equal(calendar_next(calendar, next - 1, &next), 0);
        assert_int_equal(next, wanted);
        now = next;
    }
    if (!*elapses)
        assert_int_equal(calendar_next(calendar, now, &now), -ENOENT);
}

#define ELAPSES(...)           ((const char *const[]){__VA_ARGS__, ""})
#define ELAPSES_THEN_NONE(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_elapses(void **state)
{
    (void)state;

    assert_elapses("Mon..Fri 03:00", utc, "2026-11-20 03:00:00",
                   ELAPSES("2026-11-23 03:00:00", "2026-11-24 03:00:00"));
    assert_elapses("daily", utc, "2022-12-31 23:59:59.999999999",
                   ELAPSES("2023-01-01 00:00:00", "2023-01-02 00:00:00"));
    assert_elapses("*-12-31 23:59:59.999999", utc, "2022-12-31 23:59:59.999998999",
                   ELAPSES("2022-12-31 23:59:59.999999", "2023-12-31 23:59:59.999999"));
    assert_elapses(
        "*:*:0/0.4", utc, "2022-12-31 23:59:59.1",
        ELAPSES("2022-12-31 23:59:59.2", "2022-12-31 23:59:59.6", "2023-01-01 00:00:00"));
    assert_elapses("yearly", utc, "1969-01-01 00:00:00", ELAPSES("1970-01-01 00:00:00"));
    assert_elapses("@1700000000", berlin, "2000-01-01 00:00:00",
                   ELAPSES_THEN_NONE("2023-11-14 22:13:20"));
    assert_elapses("2199-12-31 23:59:59", utc, "1970-01-01 00:00:00",
                   ELAPSES_THEN_NONE("2199-12-31 23:59:59"));
}

static void test_months(void **state)
{
    (void)state;

    assert_elapses("*-*-31", utc, "2023-01-31 00:00:00",
                   ELAPSES("2023-03-31 00:00:00", "2023-05-31 00:00:00"));
    assert_elapses("*-*~1", utc, "2023-12-31 00:00:00",
                   ELAPSES("2024-01-31 00:00:00", "2024-02-29 00:00:00", "2024-03-31 00:00:00"));
    assert_elapses("Mon *-05~07/1", utc, "2023-01-01 00:00:00",
                   ELAPSES("2023-05-29 00:00:00", "2024-05-27 00:00:00"));
    assert_elapses("*-02-29", utc, "2096-02-29 00:00:00", ELAPSES("2104-02-29 00:00:00"));
    assert_elapses("Mon *-02-29", utc, "1999-01-01 00:00:00",
                   ELAPSES("2016-02-29 00:00:00", "2044-02-29 00:00:00"));
}

/* Systemd 252 goes from 27 December to 20 January. */
static void test_first_day_after_overflow(void **state)
{
    (void)state;
    assert_elapses("*-*-1,20/7", utc, "2022-12-27 00:00:00",
                   ELAPSES("2023-01-01 00:00:00", "2023-01-20 00:00:00"));
}

/* Hour 25 of the last day is 1:00 of the next month, whose midnight comes before that. */
static void test_hours_after_overflow(void **state)
{
    (void)state;
    assert_elapses("0/5:00", utc, "2026-12-31 19:00:00",
                   ELAPSES("2026-12-31 20:00:00", "2027-01-01 00:00:00", "2027-01-01 05:00:00"));
    assert_elapses("0/5:00", utc, "2026-11-30 19:00:00",
                   ELAPSES("2026-11-30 20:00:00", "2026-12-01 00:00:00", "2026-12-01 05:00:00"));
    assert_elapses("2/5:30", berlin, "2026-01-31 20:00:00",
                   ELAPSES("2026-01-31 21:30:00", "2026-02-01 01:30:00"));
    assert_elapses("*-2/5-01 0/7:00", utc, "2026-12-01 20:00:00",
                   ELAPSES("2026-12-01 21:00:00", "2027-02-01 00:00:00"));
}

static void test_gaps_and_folds(void **state)
{
    (void)state;

    /* 02:30 is left out on 27 March 2022, and comes twice on 30 October. */
    assert_elapses("02:30", berlin, "2022-03-26 01:30:00",
                   ELAPSES("2022-03-28 00:30:00", "2022-03-29 00:30:00"));
    assert_elapses("02:30", berlin, "2022-10-29 00:30:00",
                   ELAPSES("2022-10-30 00:30:00", "2022-10-31 01:30:00"));
    assert_elapses("hourly", berlin, "2022-03-26 23:30:00",
                   ELAPSES("2022-03-27 00:00:00", "2022-03-27 01:00:00", "2022-03-27 02:00:00"));
    assert_elapses("3:00 CET", berlin, "2022-07-01 00:00:00",
                   ELAPSES("2022-07-01 02:00:00", "2022-07-02 02:00:00"));
    assert_elapses("Sun *-03-25..31 02:30", berlin, "2022-01-01 00:00:00",
                   (const char *const[]){NULL});
}

/* "Every hour" means each of them, also the one that comes twice. Systemd leaves the second
 * out. */
/* A search from within the second pass: a daemon that starts then, a run that ends then. */
static void test_a_time_of_day_comes_once_in_a_fold(void **state)
{
    (void)state;

    assert_elapses("02:30", berlin, "2022-10-30 00:29:59",
                   ELAPSES("2022-10-30 00:30:00", "2022-10-31 01:30:00"));
    assert_elapses("02:30", berlin, "2022-10-30 01:00:00", ELAPSES("2022-10-31 01:30:00"));
    assert_elapses("02:30", berlin, "2022-10-30 01:10:00", ELAPSES("2022-10-31 01:30:00"));
    assert_elapses("02:30", berlin, "2022-10-30 01:59:59", ELAPSES("2022-10-31 01:30:00"));
    assert_elapses("02:30,45", berlin, "2022-10-30 01:35:00", ELAPSES("2022-10-31 01:30:00"));
    assert_elapses("03:00", berlin, "2022-10-30 01:10:00", ELAPSES("2022-10-30 02:00:00"));
    assert_elapses("2..3:00", berlin, "2022-10-30 01:10:00", ELAPSES("2022-10-30 02:00:00"));
}

static void test_every_hour_goes_on_in_a_fold(void **state)
{
    cleanup_zone struct zone *lord_howe = NULL;
    (void)state;

    assert_elapses("hourly", berlin, "2022-10-29 23:30:00",
                   ELAPSES("2022-10-30 00:00:00", "2022-10-30 01:00:00", "2022-10-30 02:00:00"));
    assert_elapses("minutely", berlin, "2022-10-30 00:58:00",
                   ELAPSES("2022-10-30 00:59:00", "2022-10-30 01:00:00", "2022-10-30 01:01:00"));
    assert_elapses("minutely", berlin, "2022-10-30 01:58:00",
                   ELAPSES("2022-10-30 01:59:00", "2022-10-30 02:00:00", "2022-10-30 02:01:00"));
    assert_elapses("*:20,40", berlin, "2022-10-30 00:30:00",
                   ELAPSES("2022-10-30 00:40:00", "2022-10-30 01:20:00", "2022-10-30 01:40:00",
                           "2022-10-30 02:20:00"));
    assert_elapses("Sun *-10-30 *:30", berlin, "2022-10-30 00:00:00",
                   ELAPSES("2022-10-30 00:30:00", "2022-10-30 01:30:00", "2022-10-30 02:30:00"));
    /* Half an hour is repeated: only what falls in it comes again. */
    assert_int_equal(zone_from_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", &lord_howe), 0);
    assert_elapses("*:15,45", lord_howe, "2022-04-02 14:00:00",
                   ELAPSES("2022-04-02 14:15:00", "2022-04-02 14:45:00", "2022-04-02 15:15:00",
                           "2022-04-02 15:45:00"));
    /* Hours that are named are times of day: each once a day. */
    assert_elapses("2:0/30", berlin, "2022-10-30 00:00:00",
                   ELAPSES("2022-10-30 00:30:00", "2022-10-31 01:00:00"));
    assert_elapses("00..23:00", berlin, "2022-10-29 23:30:00",
                   ELAPSES("2022-10-30 00:00:00", "2022-10-30 02:00:00"));
}

/* Where saving is negative, a time in the gap is answered with one before it; no elapse is lost. */
/* A time that is left out takes nothing along, also where winter is the daylight saving time. */
static void test_the_rest_of_a_day_with_a_gap(void **state)
{
    cleanup_zone struct zone *dublin = NULL;
    (void)state;

    assert_int_equal(zone_from_rule("IST-1GMT0,M10.5.0,M3.5.0/1", &dublin), 0);
    assert_elapses("1,13:30", dublin, "2027-03-27 18:00:00",
                   ELAPSES("2027-03-28 12:30:00", "2027-03-29 00:30:00", "2027-03-29 12:30:00"));
    assert_elapses("1/3:00", dublin, "2027-03-27 22:30:00",
                   ELAPSES("2027-03-28 03:00:00", "2027-03-28 06:00:00"));
    assert_elapses("1..4:30", dublin, "2027-03-27 18:00:00",
                   ELAPSES("2027-03-28 01:30:00", "2027-03-28 02:30:00", "2027-03-28 03:30:00",
                           "2027-03-29 00:30:00"));
    assert_elapses("1/4:15", dublin, "2027-03-27 21:00:00",
                   ELAPSES("2027-03-27 21:15:00", "2027-03-28 04:15:00", "2027-03-28 08:15:00"));
    assert_elapses("1:30", dublin, "2027-03-27 18:00:00", ELAPSES("2027-03-29 00:30:00"));
    assert_elapses("1,13:30", berlin, "2022-03-26 18:00:00",
                   ELAPSES("2022-03-27 00:30:00", "2022-03-27 11:30:00"));
    assert_elapses("2,13:30", berlin, "2022-03-26 18:00:00", ELAPSES("2022-03-27 11:30:00"));
}

static void test_negative_saving(void **state)
{
    cleanup_zone struct zone *dublin = NULL;
    (void)state;

    assert_int_equal(zone_from_rule("IST-1GMT0,M10.5.0,M3.5.0/1", &dublin), 0);
    assert_elapses("*:0/30", dublin, "2021-03-28 00:15:00",
                   ELAPSES("2021-03-28 00:30:00", "2021-03-28 01:00:00", "2021-03-28 01:30:00"));
    assert_elapses("01:30", dublin, "2021-03-27 01:30:00", ELAPSES("2021-03-29 00:30:00"));
}

static void test_ends(void **state)
{
    static const char *const never[] = {
        "*-02-30",        "*-02,04,06,09,11-31",    "Mon *-02-30", "1970-01-01", "2000..2020-*-*",
        "Mon 2022-11-08", "*-02-30 *:*:0/0.000001", "2199-02-29",
    };
    int64_t next;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        cleanup_calendar struct calendar *calendar = parse(never[i], berlin);

        assert_int_equal(calendar_next(calendar, instant("2021-01-01 00:00:00"), &next), -ENOENT);
    }
    cleanup_calendar struct calendar *always = parse("*:*:0/0.000001", utc);

    assert_int_equal(calendar_next(always, INT64_MIN, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(calendar_next(always, -1, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(calendar_next(always, 0, &next), 0);
    assert_int_equal(next, 1000);
    assert_int_equal(calendar_next(always, INT64_MAX, &next), -ENOENT);
}

/* The local zone comes from TZ, and is kept. */
static void test_local_zone(void **state)
{
    cleanup_calendar struct calendar *calendar = NULL, *named = NULL;
    const char *expected;
    int64_t next;
    (void)state;

    setenv("TZ", BERLIN, 1);
    assert_int_equal(calendar_parse("3:00", &calendar, &expected), 0);
    setenv("TZ", "UTC", 1);
    assert_int_equal(calendar_next(calendar, instant("2022-07-01 00:00:00"), &next), 0);
    assert_int_equal(next, instant("2022-07-01 01:00:00"));
    unsetenv("TZ");
    if (calendar_parse("3:00 Asia/Kathmandu", &named, &expected) == -ENOENT)
        skip();
    assert_int_equal(calendar_next(named, instant("2022-07-01 00:00:00"), &next), 0);
    assert_int_equal(next, instant("2022-07-01 21:15:00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_elapses),
        cmocka_unit_test(test_months),
        cmocka_unit_test(test_first_day_after_overflow),
        cmocka_unit_test(test_hours_after_overflow),
        cmocka_unit_test(test_gaps_and_folds),
        cmocka_unit_test(test_the_rest_of_a_day_with_a_gap),
        cmocka_unit_test(test_negative_saving),
        cmocka_unit_test(test_a_time_of_day_comes_once_in_a_fold),
        cmocka_unit_test(test_every_hour_goes_on_in_a_fold),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_local_zone),
    };

    return cmocka_run_group_tests_name("calendar", tests, set_up, tear_down);
}
