/* SPDX-License-Identifier: MIT */
/*
 * Every value is counted, none is kept: 64 cells for each power of two, so that a percentile is at
 * most 1.6 % above the truth.
 */
#ifndef REEVE_BENCH_HISTOGRAM_H
#define REEVE_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_CELLS (64 * 59)

struct histogram {
    uint64_t count, max;
    uint64_t cells[HISTOGRAM_CELLS];
};

static inline unsigned histogram_cell(uint64_t value)
{
    unsigned shift;

    if (value < 64)
        return (unsigned)value;
    shift = 57 - (unsigned)__builtin_clzll(value);
    return shift * 64 + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->cells[histogram_cell(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

/* The greatest value of the cell in which that share of all values, say 0.99, is reached. */
static inline uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
        unsigned shift = i < 128 ? 0 : i / 64 - 1;
        uint64_t top = i < 64 ? i : (((uint64_t)(i - shift * 64) + 1) << shift) - 1;

        seen += histogram->cells[i];
        if (seen > wanted)
            return top < histogram->max ? top : histogram->max;
    }
    return histogram->max;
}

#endif
