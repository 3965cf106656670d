/* SPDX-License-Identifier: MIT */
/*
 * How often something took how long, in buckets that are the same everywhere, so that the counts of
 * several incarnations, modules or machines may be added. A histogram lies in a record of the
 * scoreboard, and is written as the rest of it is.
 */
#ifndef REEVE_WIRE_HISTOGRAM_H
#define REEVE_WIRE_HISTOGRAM_H

#include <stdint.h>

/* From 100 us to 5 minutes, and one more for whatever is longer. */
/* No time or duration that crosses is longer. */
#define WIRE_TIME_MAX (INT64_MAX / 4)

#define HISTOGRAM_BOUNDS  19
#define HISTOGRAM_BUCKETS (HISTOGRAM_BOUNDS + 1)

/* The most that a bucket counts to: all of them together still fit into a double's 53 bits, and any
 * two counts can be added. */
#define HISTOGRAM_COUNT_MAX (UINT64_C(1) << 48)

/* All zero is empty. How many there are altogether is not said twice. */
struct histogram {
    int64_t sum; /* ns */
    uint64_t counts[HISTOGRAM_BUCKETS];
};

/* The i-th bucket's upper bound, inclusive, in seconds, as both text formats of metrics write it.
 */
const char *histogram_bound(unsigned i);

/* Counts a duration; a negative one is none at all. */
void histogram_observe(struct histogram *histogram, int64_t duration);

/* Makes what a host wrote fit for sums. */
void histogram_limit(struct histogram *histogram);

/* Adds one to another; both within limits, as the result is. */
void histogram_add(struct histogram *sum, const struct histogram *histogram);

#endif
