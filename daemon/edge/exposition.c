/* SPDX-License-Identifier: MIT */
#include "daemon/edge/exposition.h"

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

void exposition_sample(const struct exposition *exposition, const struct metric *metric,
                       const struct label labels[METRIC_LABELS], double value)
{
    struct text *text = exposition->text;
    cleanup_text struct text all = {0};

    append_labels(&all, labels);
    text->failed = text->failed || all.failed;
    text_append_format(text, "%s%s%s%s%s %.17g\n", metric->name, suffix(metric->type),
                       all.length > 0 ? "{" : "", text_string(&all), all.length > 0 ? "}" : "",
                       value);
}

void exposition_histogram(const struct exposition *exposition, const struct metric *metric,
                          const struct label labels[METRIC_LABELS],
                          const struct histogram *histogram)
{
    struct text *text = exposition->text;
    cleanup_text struct text all = {0};
    const char *name = metric->name, *comma;
    uint64_t count = 0;

    append_labels(&all, labels);
    text->failed = text->failed || all.failed;
    comma = all.length > 0 ? "," : "";
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += histogram->counts[i];
        text_append_format(text, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, text_string(&all),
                           comma, i < HISTOGRAM_BOUNDS ? histogram_bound(i) : "+Inf", count);
    }
    text_append_format(text, "%s_sum{%s} %.17g\n%s_count{%s} %" PRIu64 "\n", name,
                       text_string(&all), (double)histogram->sum / NSEC_PER_SEC, name,
                       text_string(&all), count);
}

void exposition_end(const struct exposition *exposition)
{
    if (exposition->open_metrics)
        text_append(exposition->text, "# EOF\n");
}
