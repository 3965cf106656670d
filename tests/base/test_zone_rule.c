/* SPDX-License-Identifier: MIT */
/* The calendar without zones, and rules in the syntax of TZ. */
#include "tests/base/zones.h"

#include "base/macro.h"

static void test_civil(void **state)
{
    struct civil civil;
    (void)state;

    /* Every four days and some for 800 years, against the C library. */
    for (int64_t seconds = -400 * INT64_C(31556952); seconds < 400 * INT64_C(31556952);
         seconds += 373333) {
        time_t moment = (time_t)seconds;
        struct tm tm;

        gmtime_r(&moment, &tm);
        civil_from_seconds(seconds, &civil);
        assert_int_equal(civil.year, tm.tm_year + 1900);
        assert_int_equal(civil.month, tm.tm_mon + 1);
        assert_int_equal(civil.day, tm.tm_mday);
        assert_int_equal(civil.hour * 3600 + civil.minute * 60 + civil.second,
                         tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        assert_int_equal(civil_to_seconds(&civil), seconds);
        assert_int_equal(civil_weekday(divide_floor(seconds, SECONDS_PER_DAY)),
                         (tm.tm_wday + 6) % 7);
    }
    /* Out of range, as timegm() takes it. */
    assert_int_equal(civil_to_days(2023, 14, 1), civil_to_days(2024, 2, 1));
    assert_int_equal(civil_to_days(2024, 0, 0), civil_to_days(2023, 11, 30));
    assert_int_equal(civil_to_days(2023, 2, 30), civil_to_days(2023, 3, 2));
    civil_to_seconds(
        &(struct civil){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX});
    civil_to_seconds(
        &(struct civil){INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN});
    civil_from_seconds(CIVIL_LIMIT - 1, &civil);
    assert_int_equal(civil_to_seconds(&civil), CIVIL_LIMIT - 1);
    civil_from_seconds(1 - CIVIL_LIMIT, &civil);
    assert_int_equal(civil_to_seconds(&civil), 1 - CIVIL_LIMIT);
}

static void test_rule(void **state)
{
    cleanup_zone struct zone *berlin = NULL, *dublin = NULL, *lord_howe = NULL, *quoted = NULL;
    cleanup_zone struct zone *julian = NULL, *american = NULL;
    (void)state;

    assert_int_equal(zone_from_rule(BERLIN, &berlin), 0);
    assert_kind(berlin, SPRING - 1, "CET", 3600);
    assert_kind(berlin, SPRING, "CEST", 7200);
    assert_kind(berlin, AUTUMN - 1, "CEST", 7200);
    assert_kind(berlin, AUTUMN, "CET", 3600);
    /* The same 4000 years on, and in the past. */
    assert_kind(berlin, seconds_at(6022, 7, 1, 0, 0), "CEST", 7200);
    assert_kind(berlin, seconds_at(-6022, 7, 1, 0, 0), "CEST", 7200);
    /* Winter is daylight saving time, and the year starts in it. */
    assert_int_equal(zone_from_rule("IST-1GMT0,M10.5.0,M3.5.0/1", &dublin), 0);
    assert_kind(dublin, SPRING - 1, "GMT", 0);
    assert_kind(dublin, SPRING, "IST", 3600);
    assert_true(zone_at(dublin, SPRING - 1)->dst);
    /* South, and half an hour. */
    assert_int_equal(zone_from_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", &lord_howe), 0);
    assert_kind(lord_howe, seconds_at(2022, 1, 1, 0, 0), "+11", 39600);
    assert_kind(lord_howe, seconds_at(2022, 7, 1, 0, 0), "+1030", 37800);
    assert_int_equal(zone_from_rule("<-0330>3:30", &quoted), 0);
    assert_kind(quoted, 0, "-0330", -12600);
    assert_null(zone_kind(quoted, true));
    /* Days without and with 29 February, and a time before midnight. */
    assert_int_equal(zone_from_rule("AAA0BBB,J60/-1,59", &julian), 0);
    assert_kind(julian, seconds_at(2024, 2, 29, 22, 59), "AAA", 0);
    assert_kind(julian, seconds_at(2024, 2, 29, 23, 0), "BBB", 3600);
    assert_kind(julian, seconds_at(2024, 2, 29, 0, 59), "BBB", 3600);
    assert_kind(julian, seconds_at(2024, 2, 29, 1, 0), "AAA", 0);
    assert_int_equal(zone_from_rule("EST5EDT", &american), 0);
    assert_kind(american, seconds_at(2022, 3, 13, 6, 59), "EST", -18000);
    assert_kind(american, seconds_at(2022, 3, 13, 7, 0), "EDT", -14400);
    assert_kind(american, seconds_at(2022, 11, 6, 6, 0), "EST", -18000);
}

static void test_rule_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "CET",
        "C1",
        "CE-1",
        "1",
        "<CE>-1",
        "<CET-1",
        "<C T>-1",
        "CET-25",
        "CET-1:60",
        "CET-1:",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,",
        "CET-1CEST,M0.5.0,M10.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3,M10.5.0",
        "CET-1CEST,J0,J1",
        "CET-1CEST,J366,J1",
        "CET-1CEST,366,1",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0/-168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0x",
        "CET-1CEST-2x",
        "CET-1 CEST",
        "ABCDEFGHIJKLMNOP0",
        "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
        "CET-00001",
    };
    struct zone *zone = NULL;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(zone_from_rule(bad[i], &zone), -EINVAL);
        assert_null(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil),
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_rule_refuses),
    };

    return cmocka_run_group_tests_name("zone_rule", tests, NULL, NULL);
}
