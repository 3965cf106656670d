/* SPDX-License-Identifier: MIT */
#include "daemon/edge/metrics/exposition.h"

#include <inttypes.h>
#include <string.h>

#include "base/duration.h"

/* Label values may hold anything; names that we write do not. */
static void append_label(struct text *text, const struct label *label)
{
    text_append_format(text, "%s=\"", label->name);
    for (const char *value = label->value; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            text_append_bytes(text, "\\", 1);
        if (*value == '\n')
            text_append(text, "\\n");
        else
            text_append_bytes(text, value, 1);
    }
    text_append_bytes(text, "\"", 1);
}

/* Without braces: 'module="a",task="b"'. */
static void append_labels(struct text *text, const struct label labels[METRIC_LABELS])
{
    bool first = true;

    for (size_t i = 0; labels && i < METRIC_LABELS; i++) {
        if (!labels[i].value)
            continue;
        if (!first)
            text_append_bytes(text, ",", 1);
        append_label(text, &labels[i]);
        first = false;
    }
}

static const char *suffix(enum metric_type type)
{
    return type == COUNTER ? "_total" : type == INFO ? "_info" : "";
}

/* NULL for what is only counted, or has none. */
static const char *unit_of(const char *name)
{
    static const char *const units[] = {"seconds", "bytes"};
    const char *last = strrchr(name, '_');

    for (size_t i = 0; last && i < ARRAY_SIZE(units); i++)
        if (strcmp(last + 1, units[i]) == 0)
            return units[i];
    return NULL;
}

void exposition_family(const struct exposition *exposition, const struct metric *metric)
{
    static const char *const types[] = {
        [GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram", [INFO] = "info"};
    const char *end = exposition->open_metrics ? "" : suffix(metric->type);
    const char *unit = unit_of(metric->name);
    /* Prometheus' own format has no such type; a gauge of 1 is what everybody writes there. */
    enum metric_type type =
        metric->type == INFO && !exposition->open_metrics ? GAUGE : metric->type;

    text_append_format(exposition->text, "# HELP %s%s %s\n# TYPE %s%s %s\n", metric->name, end,
                       metric->help, metric->name, end, types[type]);
    if (exposition->open_metrics && unit)
        text_append_format(exposition->text, "# UNIT %s %s\n", metric->name, unit);
}

/* Most values are whole numbers, for which printf() takes too long: an answer has thousands. */
static void append_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t place = sizeof(digits);

    do
        digits[--place] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    text_append_bytes(text, digits + place, sizeof(digits) - place);
}

static void append_value(struct text *text, double value)
{
    if (value >= 0 && value < 0x1p53 && (double)(uint64_t)value == value)
        append_number(text, (uint64_t)value);
    else
        text_append_format(text, "%.17g", value);
    text_append_bytes(text, "\n", 1);
}

void exposition_sample(const struct exposition *exposition, const struct metric *metric,
                       const struct label labels[METRIC_LABELS], double value)
{
    struct text *text = exposition->text;

    text_append(text, metric->name);
    text_append(text, suffix(metric->type));
    if (labels) {
        text_append_bytes(text, "{", 1);
        append_labels(text, labels);
        text_append_bytes(text, "}", 1);
    }
    text_append_bytes(text, " ", 1);
    append_value(text, value);
}

void exposition_histogram(const struct exposition *exposition, const struct metric *metric,
                          const struct label labels[METRIC_LABELS],
                          const struct histogram *histogram)
{
    struct text *text = exposition->text;
    cleanup_text struct text all = {0}, head = {0};
    uint64_t count = 0;

    append_labels(&all, labels);
    text_append_format(&head, "%s_bucket{%s,le=\"", metric->name, text_string(&all));
    text->failed = text->failed || all.failed || head.failed;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += histogram->counts[i];
        text_append_bytes(text, text_string(&head), head.length);
        text_append(text, i < HISTOGRAM_BOUNDS ? histogram_bound(i) : "+Inf");
        text_append(text, "\"} ");
        append_number(text, count);
        text_append_bytes(text, "\n", 1);
    }
    text_append_format(text, "%s_sum{%s} ", metric->name, text_string(&all));
    append_value(text, (double)histogram->sum / NSEC_PER_SEC);
    text_append_format(text, "%s_count{%s} %" PRIu64 "\n", metric->name, text_string(&all), count);
}

void exposition_end(const struct exposition *exposition)
{
    if (exposition->open_metrics)
        text_append(exposition->text, "# EOF\n");
}
