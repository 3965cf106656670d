/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"
#include "base/macro.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {" 0 ", 0},
        {"0s", 0},
        {"5s", 5 * NSEC_PER_SEC},
        {"5 s", 5 * NSEC_PER_SEC},
        {"1.5s", 1500 * NSEC_PER_MSEC},
        {".5s", 500 * NSEC_PER_MSEC},
        {"250ms", 250 * NSEC_PER_MSEC},
        {"1h 30min", 5400 * NSEC_PER_SEC},
        {"1h30m", 5400 * NSEC_PER_SEC},
        {"2d", 172800 * NSEC_PER_SEC},
        {"1w", 604800 * NSEC_PER_SEC},
        {"0.000000001s", 1},
        {"7ns", 7},
        {"1us 1ns", 1001},
        {"9223372036854775807ns", INT64_MAX},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t ns = -1;

        assert_int_equal(duration_parse(good[i].text, &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "", " ", "5", "s", "5x", "-5s", "+5s", "5s5", "1.s", "5 5s", "1e3s", "5S", "5s;", "1,5s",
    };
    static const char *const large[] = {
        "9223372036854775808ns",
        "999999999999w",
        "99999999999999999999s",
        "15000w 15000w",
    };
    int64_t ns = 42;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(duration_parse(bad[i], &ns), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(large); i++)
        assert_int_equal(duration_parse(large[i], &ns), -ERANGE);
    /* A refused text leaves the value alone. */
    assert_int_equal(ns, 42);
}

static void test_format(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {1500, "1.5us"},
        {20 * NSEC_PER_MSEC, "20ms"},
        {1500 * NSEC_PER_MSEC, "1.5s"},
        {60 * NSEC_PER_SEC, "1min"},
        {5400 * NSEC_PER_SEC, "1h 30min"},
        {90061 * NSEC_PER_SEC, "1d 1h 1min 1s"},
        {-5 * NSEC_PER_SEC, "-5s"},
    };
    char text[DURATION_TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(duration_format(cases[i].ns, text, sizeof(text)), cases[i].text);
    /* The extremes fit, and no small buffer is overrun. */
    duration_format(INT64_MIN, text, sizeof(text));
    for (size_t size = 0; size < 12; size++)
        duration_format(INT64_MAX, text, size);
}

static void test_round_trip(void **state)
{
    char text[DURATION_TEXT_SIZE];
    (void)state;

    for (int64_t ns = NSEC_PER_MSEC; ns < 1000000 * NSEC_PER_SEC; ns = ns * 7 / 3) {
        int64_t whole = ns / NSEC_PER_MSEC * NSEC_PER_MSEC, again;

        assert_int_equal(duration_parse(duration_format(whole, text, sizeof(text)), &again), 0);
        assert_int_equal(again, whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
