/* SPDX-License-Identifier: MIT */
#include "ctl/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/text.h"

struct table {
    const struct ctl *ctl;
    struct libscols_table *table;
    struct libscols_line *line;
    size_t column;
};

static void no_memory(void)
{
    fputs("reevectl: out of memory\n", stderr);
    exit(CTL_EXIT_FAILURE);
}

struct table *table_create(const struct ctl *ctl, const char *const *names)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table || !(table->table = scols_new_table()))
        no_memory();
    table->ctl = ctl;
    scols_table_enable_colors(table->table, ctl->colour);
    for (; *names; names++) {
        /* The last column may be wrapped at the terminal's edge. */
        int flags = **names == '>' ? SCOLS_FL_RIGHT : names[1] ? 0 : SCOLS_FL_WRAP;

        scols_table_new_column(table->table, **names == '>' ? *names + 1 : *names, 0, flags);
    }
    return table;
}

void table_line(struct table *table)
{
    table->line = scols_table_new_line(table->table, NULL);
    table->column = 0;
    if (!table->line)
        no_memory();
}

void table_cell(struct table *table, const char *format, ...)
{
    char text[1400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* Texts of modules must not drive the terminal. */
    text_sanitise(text);
    scols_line_set_data(table->line, table->column++, text);
}

static const char *colour_of(const char *status)
{
    if (strcmp(status, "fail") == 0)
        return "red";
    return strcmp(status, "warn") == 0 ? "yellow" : "green";
}

void table_colour(struct table *table, const char *status)
{
    if (table->ctl->colour)
        scols_cell_set_color(scols_line_get_cell(table->line, table->column - 1),
                             colour_of(status));
}

void table_print(struct table *table)
{
    scols_print_table(table->table);
    scols_unref_table(table->table);
    free(table);
}

json_t *make_printable(const char *text)
{
    cleanup_free char *copy = text ? strdup(text) : NULL;

    if (!text)
        return json_null();
    if (copy)
        text_sanitise(copy);
    return copy ? json_string(copy) : NULL;
}

void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

const char *get_text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

long long get_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* How exact a duration is shown: of what takes long nobody wants to read the milliseconds. */
static int64_t precision(int64_t ns)
{
    if (ns >= 10 * NSEC_PER_SEC)
        return NSEC_PER_SEC;
    return ns >= 10 * NSEC_PER_MSEC ? NSEC_PER_MSEC : 10 * NSEC_PER_USEC;
}

char *get_duration(const json_t *object, const char *key, char *buffer, size_t size)
{
    const json_t *value = json_object_get(object, key);
    int64_t ns;

    if (!json_is_number(value)) {
        string_copy(buffer, size, "-");
        return buffer;
    }
    ns = (int64_t)(MAX(json_number_value(value), 0.0) * (double)NSEC_PER_SEC);
    return duration_format(ns / precision(ns) * precision(ns), buffer, size);
}

char *get_time_left(const json_t *object, const char *key, char *buffer, size_t size)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value) || json_number_value(value) > 0)
        return get_duration(object, key, buffer, size);
    string_copy(buffer, size, "now");
    return buffer;
}

char *format_rough(double seconds, char *buffer, size_t size)
{
    int64_t ns = (int64_t)(MAX(seconds, 0.0) * (double)NSEC_PER_SEC), exact = NSEC_PER_MSEC;

    if (ns >= 3600 * NSEC_PER_SEC)
        exact = 60 * NSEC_PER_SEC;
    else if (ns >= 10 * NSEC_PER_SEC)
        exact = NSEC_PER_SEC;
    else if (ns >= NSEC_PER_SEC)
        exact = 100 * NSEC_PER_MSEC;
    return duration_format((ns + exact / 2) / exact * exact, buffer, size);
}

char *get_local_time(const char *text, char *buffer, size_t size)
{
    struct tm tm = {0};
    time_t seconds;

    if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        string_copy(buffer, size, text);
        return buffer;
    }
    seconds = timegm(&tm);
    localtime_r(&seconds, &tm);
    strftime(buffer, size, "%a %Y-%m-%d %H:%M:%S", &tm);
    return buffer;
}
