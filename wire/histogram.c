/* SPDX-License-Identifier: MIT */
#include "wire/histogram.h"

#include <assert.h>

#include "base/clock.h"
#include "base/macro.h"

#define US INT64_C(1000)
#define MS NSEC_PER_MSEC
#define S  NSEC_PER_SEC

/* OpenMetrics wants a dot in each of the texts; that they never change matters more: another text
 * is another time series. */
static const struct {
    int64_t duration;
    const char *text;
} bounds[] = {
    {100 * US, "0.0001"},  {250 * US, "0.00025"}, {500 * US, "0.0005"}, {1 * MS, "0.001"},
    {2500 * US, "0.0025"}, {5 * MS, "0.005"},     {10 * MS, "0.01"},    {25 * MS, "0.025"},
    {50 * MS, "0.05"},     {100 * MS, "0.1"},     {250 * MS, "0.25"},   {500 * MS, "0.5"},
    {1 * S, "1.0"},        {2500 * MS, "2.5"},    {5 * S, "5.0"},       {10 * S, "10.0"},
    {30 * S, "30.0"},      {60 * S, "60.0"},      {300 * S, "300.0"},
};

_Static_assert(ARRAY_SIZE(bounds) == HISTOGRAM_BOUNDS, "each bound has its row");

const char *histogram_bound(unsigned i)
{
    assert(i < HISTOGRAM_BOUNDS);
    return bounds[i].text;
}

/* Sums of durations that may be anything up to the longest that there is. */
static int64_t add_times(int64_t a, int64_t b)
{
    return MIN(a + b, WIRE_TIME_MAX);
}

void histogram_observe(struct histogram *histogram, int64_t duration)
{
    unsigned i = 0;

    duration = MAX(MIN(duration, WIRE_TIME_MAX), INT64_C(0));
    while (i < HISTOGRAM_BOUNDS && duration > bounds[i].duration)
        i++;
    histogram->counts[i]++;
    histogram->sum = add_times(histogram->sum, duration);
}

void histogram_limit(struct histogram *histogram)
{
    histogram->sum = MAX(MIN(histogram->sum, WIRE_TIME_MAX), INT64_C(0));
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] = MIN(histogram->counts[i], HISTOGRAM_COUNT_MAX);
}

void histogram_add(struct histogram *sum, const struct histogram *histogram)
{
    sum->sum = add_times(sum->sum, histogram->sum);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->counts[i] = MIN(sum->counts[i] + histogram->counts[i], HISTOGRAM_COUNT_MAX);
}
