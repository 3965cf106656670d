/* SPDX-License-Identifier: MIT */
/* Shows what the daemon and its modules are doing: status, list, names. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* status ------------------------------------------------------------------ */

static void add_tasks(struct table *table, const json_t *module)
{
    char next[DURATION_TEXT_SIZE], last[DURATION_TEXT_SIZE];
    json_t *task;
    size_t i;

    json_array_foreach(json_object_get(module, "tasks"), i, task)
    {
        table_line(table);
        table_cell(table, "  %s", get_text(task, "name"));
        table_cell(table, "%s", get_text(task, "state"));
        table_colour(table, get_text(task, "status"));
        table_cell(table, "%lld", get_number(task, "runs"));
        table_cell(table, "%lld", get_number(task, "failures"));
        table_cell(table, "%s", get_duration(task, "last_duration", last, sizeof(last)));
        table_cell(table, "%s", get_time_left(task, "next_in", next, sizeof(next)));
        table_cell(table, "%s",
                   *get_text(task, "output") ? get_text(task, "output")
                                             : get_text(task, "progress"));
    }
}

static void add_pools(struct table *table, const json_t *module)
{
    json_t *pool;
    size_t i;

    json_array_foreach(json_object_get(module, "pools"), i, pool)
    {
        table_line(table);
        table_cell(table, "  %s", get_text(pool, "name"));
        table_cell(table, "%lld/%lld busy", get_number(pool, "active"),
                   get_number(pool, "workers"));
        table_cell(table, "%lld", get_number(pool, "finished") + get_number(pool, "failed"));
        table_cell(table, "%lld", get_number(pool, "failed"));
        table_cell(table, "-");
        table_cell(table, "-");
        table_cell(table, "%lld of %lld queued, %lld lost%s%s", get_number(pool, "queued"),
                   get_number(pool, "capacity"), get_number(pool, "lost"),
                   *get_text(pool, "last_error") ? "; last error: " : "",
                   get_text(pool, "last_error"));
    }
}

/* A crash without its frames, which `show` has. */
static int crash_length(const char *crash)
{
    const char *frames = strstr(crash, ", frames: ");

    return (int)(frames ? (size_t)(frames - crash) : strlen(crash));
}

/* "; restarted 5s ago: REASON", or "". Leaves out a crash that the line shows already. */
static const char *describe_restart(const json_t *module, char *buffer, size_t size)
{
    const json_t *restart = json_object_get(module, "last_restart");
    const char *crash = *get_text(module, "crash") ? "" : get_text(restart, "crash");
    char ago[DURATION_TEXT_SIZE];

    *buffer = '\0';
    if (json_is_object(restart))
        snprintf(
            buffer, size, "; restarted %s ago: %s%s%.*s",
            format_rough(json_number_value(json_object_get(restart, "started")), ago, sizeof(ago)),
            get_text(restart, "reason"), *crash ? "; " : "", crash_length(crash), crash);
    return buffer;
}

static void add_module(struct table *table, const json_t *module)
{
    const char *output = get_text(module, "output"), *crash = get_text(module, "crash");
    char restart[800];

    table_line(table);
    table_cell(table, "%s", get_text(module, "name"));
    table_cell(table, "%s", get_text(module, "state"));
    table_colour(table, get_text(module, "status"));
    for (int i = 0; i < 4; i++)
        table_cell(table, "%s", "");
    table_cell(table, "%s%s%.*s%srestarts: %lld%s", output, *output ? "; " : "",
               crash_length(crash), crash, *crash ? "; " : "", get_number(module, "restarts"),
               describe_restart(module, restart, sizeof(restart)));
    add_tasks(table, module);
    add_pools(table, module);
}

static void print_head(const json_t *status)
{
    char uptime[DURATION_TEXT_SIZE];
    json_t *address;
    size_t i;

    printf("reeved %s, pid %lld: %s, %s, up %s%s%s\n", get_text(status, "version"),
           get_number(status, "pid"), get_text(status, "phase"), get_text(status, "status"),
           get_duration(status, "uptime", uptime, sizeof(uptime)),
           *get_text(status, "cause") ? "; " : "", get_text(status, "cause"));
    json_array_foreach(json_object_get(status, "listen"), i, address)
        printf("health at http://%s/health\n", json_string_value(address));
    if (*get_text(status, "upgrade_error"))
        printf("the last upgrade failed: %s\n", get_text(status, "upgrade_error"));
    putchar('\n');
}

int command_status(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    static const char *const columns[] = {"MODULE", "STATE", ">RUNS", ">FAILED",
                                          ">LAST",  ">NEXT", "NOTES", NULL};
    struct table *table;
    json_t *status, *module;
    size_t i;
    int r = ctl_get_status(ctl, &status);

    if (r != 0)
        return r;
    if (ctl->json) {
        print_json(status);
    } else {
        print_head(status);
        table = table_create(ctl, columns);
        json_array_foreach(json_object_get(status, "modules"), i, module) add_module(table, module);
        table_print(table);
    }
    json_decref(status);
    return 0;
}

/* list -------------------------------------------------------------------- */

static void list_task(struct table *table, const json_t *module, const json_t *task)
{
    const json_t *next = json_object_get(task, "next");
    const json_t *running = json_object_get(task, "running_for");
    const char *schedule = get_text(task, "schedule");
    char time[64], note[128];
    json_t *point;
    size_t i;

    table_line(table);
    table_cell(table, "%s/%s", get_text(module, "name"), get_text(task, "name"));
    table_cell(table, "%s", *schedule ? schedule : "on request only");
    if (json_is_number(running)) {
        snprintf(note, sizeof(note), "runs for %s now",
                 format_rough(json_number_value(running), time, sizeof(time)));
        table_cell(table, "%s%s", note,
                   json_array_size(next) == 0 && *schedule ? "; again when that has ended" : "");
    } else if (json_array_size(next) == 0) {
        table_cell(table, "%s", json_is_true(json_object_get(task, "never")) ? "never" : "-");
    }
    json_array_foreach(next, i, point)
    {
        if (i > 0 || json_is_number(running)) {
            table_line(table);
            table_cell(table, "%s", "");
            table_cell(table, "%s", "");
        }
        table_cell(table, "%s", get_local_time(json_string_value(point), time, sizeof(time)));
    }
}

/* Of a module's tasks that which a program would ask for. */
static json_t *list_json(const json_t *status)
{
    json_t *list = json_array(), *module, *task;
    size_t i, j;

    json_array_foreach(json_object_get(status, "modules"), i, module)
        json_array_foreach(json_object_get(module, "tasks"), j, task) json_array_append_new(
            list, json_pack("{s:O, s:O, s:O, s:O, s:O, s:O}", "module",
                            json_object_get(module, "name"), "task", json_object_get(task, "name"),
                            "schedule", json_object_get(task, "schedule"), "next",
                            json_object_get(task, "next"), "never", json_object_get(task, "never"),
                            "running_for", json_object_get(task, "running_for")));
    return list;
}

int command_list(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    static const char *const columns[] = {"TASK", "SCHEDULE", "NEXT FIVE RUNS", NULL};
    json_t *status, *module, *task, *list;
    struct table *table;
    size_t i, j;
    int r = ctl_get_status(ctl, &status);

    if (r != 0)
        return r;
    if (ctl->json) {
        list = list_json(status);
        print_json(list);
        json_decref(list);
    } else {
        table = table_create(ctl, columns);
        json_array_foreach(json_object_get(status, "modules"), i, module)
            json_array_foreach(json_object_get(module, "tasks"), j, task)
                list_task(table, module, task);
        table_print(table);
    }
    json_decref(status);
    return 0;
}

/* names ------------------------------------------------------------------- */

static void print_names(const json_t *module, const char *parts)
{
    json_t *part;
    size_t i;

    json_array_foreach(json_object_get(module, parts), i, part)
        printf("%s/%s\n", get_text(module, "name"), get_text(part, "name"));
}

int command_names(const struct ctl *ctl, int count _unused_, char **words)
{
    json_t *status, *module;
    size_t i;
    int r;

    if (strcmp(words[0], "modules") != 0 && strcmp(words[0], "tasks") != 0 &&
        strcmp(words[0], "pools") != 0)
        return ctl_usage_error("names wants modules, tasks or pools");
    r = ctl_get_status(ctl, &status);
    if (r != 0)
        return r;
    json_array_foreach(json_object_get(status, "modules"), i,
                       module) if (strcmp(words[0], "modules") == 0) puts(get_text(module, "name"));
    else print_names(module, words[0]);
    json_decref(status);
    return 0;
}
