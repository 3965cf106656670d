/* SPDX-License-Identifier: MIT */
/*
 * The two text formats of metrics: Prometheus' own (0.0.4) and OpenMetrics 1.0. They differ little:
 * in OpenMetrics a counter's family has no "_total", families tell their unit, there is a type for
 * facts that never change, and the exposition ends with "# EOF".
 */
#ifndef REEVE_DAEMON_EDGE_METRICS_EXPOSITION_H
#define REEVE_DAEMON_EDGE_METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "wire/histogram.h"

enum metric_type { GAUGE, COUNTER, HISTOGRAM, INFO };

/* A family. The name has base units, and neither "_total" nor "_info"; its unit is its last word.
 */
struct metric {
    const char *name;
    enum metric_type type;
    const char *help;
};

/* A label whose value is NULL is left out. */
struct label {
    const char *name;
    const char *value;
};

#define METRIC_LABELS 2

struct exposition {
    struct text *text;
    bool open_metrics;
};

/* A family's samples follow its head, and nothing else's come between them. */
void exposition_family(const struct exposition *exposition, const struct metric *metric);

/* labels may be NULL for none, and else there is one at least. Of all types but HISTOGRAM; the
 * value of INFO is 1. */
void exposition_sample(const struct exposition *exposition, const struct metric *metric,
                       const struct label labels[METRIC_LABELS], double value);
/* There is a label at least. */
void exposition_histogram(const struct exposition *exposition, const struct metric *metric,
                          const struct label labels[METRIC_LABELS],
                          const struct histogram *histogram);

void exposition_end(const struct exposition *exposition);

#endif
