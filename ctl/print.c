/* SPDX-License-Identifier: MIT */
/* Answers as tables and sentences for people. */
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/ctl.h"

static void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

static const char *get(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

static long long get_number(const json_t *object, const char *key)
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

/* Seconds as a duration; "-" for null. */
static char *get_duration(const json_t *object, const char *key, char *buffer, size_t size)
{
    const json_t *value = json_object_get(object, key);
    int64_t ns;

    if (!json_is_number(value)) {
        string_copy(buffer, size, "-");
        return buffer;
    }
    ns = (int64_t)(json_number_value(value) * (double)NSEC_PER_SEC);
    return duration_format(ns / precision(ns) * precision(ns), buffer, size);
}

static const char *colour_of(const char *status)
{
    if (strcmp(status, "fail") == 0)
        return "red";
    return strcmp(status, "warn") == 0 ? "yellow" : "green";
}

struct table {
    const struct ctl *ctl;
    struct libscols_table *table;
    struct libscols_line *line;
    size_t column;
};

static void add_columns(struct table *table, const char *const *names)
{
    for (; *names; names++) {
        /* Numbers stand right. The last column may be cut at the terminal's edge. */
        int flags = **names == '>' ? SCOLS_FL_RIGHT : names[1] ? 0 : SCOLS_FL_WRAP;

        scols_table_new_column(table->table, **names == '>' ? *names + 1 : *names, 0, flags);
    }
}

static void add_line(struct table *table)
{
    table->line = scols_table_new_line(table->table, NULL);
    table->column = 0;
}

static void add_cell(struct table *table, const char *format, ...) printf_like(2, 3);
static void add_cell(struct table *table, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* What comes from modules must not drive the terminal. */
    text_sanitise(text);
    scols_line_set_data(table->line, table->column++, text);
}

static void colour_cell(struct table *table, const char *status)
{
    if (table->ctl->colour)
        scols_cell_set_color(scols_line_get_cell(table->line, table->column - 1),
                             colour_of(status));
}

static void add_tasks(struct table *table, const json_t *module)
{
    char next[DURATION_TEXT_SIZE], last[DURATION_TEXT_SIZE];
    json_t *task;
    size_t i;

    json_array_foreach(json_object_get(module, "tasks"), i, task)
    {
        add_line(table);
        add_cell(table, "  %s", get(task, "name"));
        add_cell(table, "%s", get(task, "state"));
        colour_cell(table, get(task, "status"));
        add_cell(table, "%lld", get_number(task, "runs"));
        add_cell(table, "%lld", get_number(task, "failures"));
        add_cell(table, "%s", get_duration(task, "last_duration", last, sizeof(last)));
        add_cell(table, "%s", get_duration(task, "next_in", next, sizeof(next)));
        add_cell(table, "%s", *get(task, "output") ? get(task, "output") : get(task, "progress"));
    }
}

static void add_pools(struct table *table, const json_t *module)
{
    json_t *pool;
    size_t i;

    json_array_foreach(json_object_get(module, "pools"), i, pool)
    {
        add_line(table);
        add_cell(table, "  %s", get(pool, "name"));
        add_cell(table, "%lld/%lld busy", get_number(pool, "active"), get_number(pool, "workers"));
        add_cell(table, "%lld", get_number(pool, "finished"));
        add_cell(table, "%lld", get_number(pool, "failed"));
        add_cell(table, "-");
        add_cell(table, "-");
        add_cell(table, "%lld of %lld queued, %lld lost%s%s", get_number(pool, "queued"),
                 get_number(pool, "capacity"), get_number(pool, "lost"),
                 *get(pool, "last_error") ? "; last error: " : "", get(pool, "last_error"));
    }
}

static void add_module(struct table *table, const json_t *module)
{
    add_line(table);
    add_cell(table, "%s", get(module, "name"));
    add_cell(table, "%s", get(module, "state"));
    colour_cell(table, get(module, "status"));
    for (int i = 0; i < 4; i++)
        add_cell(table, "%s", "");
    add_cell(table, "%s%s%s%s%s%lld", get(module, "output"), *get(module, "output") ? "; " : "",
             get(module, "crash"), *get(module, "crash") ? "; " : "",
             "restarts: ", get_number(module, "restarts"));
    add_tasks(table, module);
    add_pools(table, module);
}

static void print_table(const struct ctl *ctl, const json_t *status)
{
    static const char *const columns[] = {"MODULE", "STATE", ">RUNS", ">FAILED",
                                          ">LAST",  ">NEXT", "NOTES", NULL};
    struct table table = {.ctl = ctl, .table = scols_new_table()};
    json_t *module;
    size_t i;

    if (!table.table) {
        fputs("reevectl: out of memory\n", stderr);
        return;
    }
    scols_table_enable_colors(table.table, ctl->colour);
    add_columns(&table, columns);
    json_array_foreach(json_object_get(status, "modules"), i, module) add_module(&table, module);
    scols_print_table(table.table);
    scols_unref_table(table.table);
}

void print_status(const struct ctl *ctl, const json_t *status)
{
    char uptime[DURATION_TEXT_SIZE];
    json_t *address;
    size_t i;

    if (ctl->json) {
        print_json(status);
        return;
    }
    printf("reeved %s, pid %lld: %s, %s, up %s%s%s\n", get(status, "version"),
           get_number(status, "pid"), get(status, "phase"), get(status, "status"),
           get_duration(status, "uptime", uptime, sizeof(uptime)),
           *get(status, "cause") ? "; " : "", get(status, "cause"));
    json_array_foreach(json_object_get(status, "listen"), i, address)
        printf("health at http://%s/health\n", json_string_value(address));
    putchar('\n');
    print_table(ctl, status);
}

void print_result(const struct ctl *ctl, const json_t *result, const char *what)
{
    char seconds[DURATION_TEXT_SIZE], text[1024];

    if (ctl->json) {
        print_json(result);
        return;
    }
    if (!json_object_get(result, "code")) {
        printf("%s %lld accepted\n", what, get_number(result, "number"));
        return;
    }
    get_duration(result, "seconds", seconds, sizeof(seconds));
    string_copy(text, sizeof(text), get(result, "text"));
    text_sanitise(text);
    if (get_number(result, "code") == 0)
        printf("%s %lld succeeded in %s\n", what, get_number(result, "number"), seconds);
    else
        printf("%s %lld failed after %s: %s (%s)\n", what, get_number(result, "number"), seconds,
               text, get(result, "name"));
}

void print_reloaded(const struct ctl *ctl, const json_t *answer)
{
    if (ctl->json)
        print_json(answer);
    else
        puts("reloaded");
}
