/* SPDX-License-Identifier: MIT */
/* Histograms: which bucket, what sums do at their limits, and what a host cannot make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"
#include "wire/histogram.h"
#include "wire/scoreboard.h"

/* The bucket that counts it, as the bound's text; "+Inf" for the last. */
static const char *bucket_of(int64_t duration)
{
    struct histogram histogram = {0};

    histogram_observe(&histogram, duration);
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
        if (histogram.counts[i] == 1)
            return histogram_bound(i);
    assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 1);
    return "+Inf";
}

static void test_buckets(void **state)
{
    static const struct {
        int64_t duration;
        const char *bound;
    } rows[] = {
        {-5, "0.0001"},
        {0, "0.0001"},
        {100 * NSEC_PER_USEC, "0.0001"}, /* a bound is inclusive */
        {100 * NSEC_PER_USEC + 1, "0.00025"},
        {999 * NSEC_PER_USEC, "0.001"},
        {2500 * NSEC_PER_USEC, "0.0025"},
        {NSEC_PER_SEC - 1, "1.0"},
        {NSEC_PER_SEC + 1, "2.5"},
        {300 * NSEC_PER_SEC, "300.0"},
        {300 * NSEC_PER_SEC + 1, "+Inf"},
        {INT64_MAX, "+Inf"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(bucket_of(rows[i].duration), rows[i].bound);
}

/* Each bound says what it is, and they rise. */
static void test_texts_are_the_bounds(void **state)
{
    double before = 0;
    (void)state;

    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double bound = strtod(histogram_bound(i), NULL);

        assert_true(bound > before);
        assert_string_equal(bucket_of((int64_t)(bound * 1e9 + 0.5)), histogram_bound(i));
        assert_non_null(strchr(histogram_bound(i), '.'));
        before = bound;
    }
}

static void test_garbage_adds_up_to_something(void **state)
{
    struct histogram foreign, sum = {0}, before;
    (void)state;

    memset(&foreign, 0xFF, sizeof(foreign));
    histogram_limit(&foreign);
    assert_int_equal(foreign.sum, 0);
    foreign.sum = INT64_MAX;
    histogram_limit(&foreign);
    for (int i = 0; i < 100; i++) {
        before = sum;
        histogram_add(&sum, &foreign);
        /* A counter stays, and never goes back. */
        assert_true(sum.sum >= before.sum && sum.sum <= SCOREBOARD_TIME_MAX);
        for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++)
            assert_true(sum.counts[b] >= before.counts[b] && sum.counts[b] <= HISTOGRAM_COUNT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_texts_are_the_bounds),
        cmocka_unit_test(test_garbage_adds_up_to_something),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
