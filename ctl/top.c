/* SPDX-License-Identifier: MIT */
/*
 * Live figures of each module: rates between two looks, a second apart. On a terminal the picture
 * is drawn anew each time; elsewhere one is printed and that is it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/size.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/table.h"

struct figures {
    long long runs, failures, queued, active;
    double latency; /* of the slowest task's or pool's last, in seconds */
    double cpu;
};

static void add_tasks(const json_t *module, struct figures *figures)
{
    json_t *task;
    size_t i;

    json_array_foreach(json_object_get(module, "tasks"), i, task)
    {
        double latency = json_number_value(json_object_get(task, "last_duration"));

        figures->runs += get_number(task, "runs");
        figures->failures += get_number(task, "failures");
        figures->latency = MAX(figures->latency, latency);
    }
}

static void add_pools(const json_t *module, struct figures *figures)
{
    json_t *pool;
    size_t i;

    json_array_foreach(json_object_get(module, "pools"), i, pool)
    {
        figures->runs += get_number(pool, "finished") + get_number(pool, "failed");
        figures->failures += get_number(pool, "failed") + get_number(pool, "lost");
        figures->queued += get_number(pool, "queued");
        figures->active += get_number(pool, "active");
    }
}

static struct figures get_figures(const json_t *module)
{
    struct figures figures = {0};

    add_tasks(module, &figures);
    add_pools(module, &figures);
    figures.cpu =
        json_number_value(json_object_get(json_object_get(module, "usage"), "cpu_seconds"));
    return figures;
}

static const json_t *find_before(const json_t *before, const json_t *module)
{
    json_t *other;
    size_t i;

    json_array_foreach(json_object_get(before, "modules"), i,
                       other) if (strcmp(get_text(other, "name"), get_text(module, "name")) ==
                                  0) return other;
    return module;
}

static char *format_size(const json_t *usage, const char *key, char *buffer, size_t size)
{
    const json_t *value = json_object_get(usage, key);

    if (!json_is_integer(value)) {
        string_copy(buffer, size, "-");
        return buffer;
    }
    return size_format((uint64_t)json_integer_value(value), buffer, size);
}

static void add_module(struct table *table, const json_t *module, const json_t *before,
                       double seconds)
{
    struct figures now = get_figures(module), then = get_figures(find_before(before, module));
    const json_t *usage = json_object_get(module, "usage");
    char memory[SIZE_TEXT_SIZE], latency[DURATION_TEXT_SIZE];
    int64_t ns = (int64_t)(now.latency * (double)NSEC_PER_SEC) / NSEC_PER_USEC * NSEC_PER_USEC;

    table_line(table);
    table_cell(table, "%s", get_text(module, "name"));
    table_cell(table, "%s", get_text(module, "state"));
    table_colour(table, get_text(module, "status"));
    table_cell(table, "%.1f", (double)(now.runs - then.runs) / seconds);
    table_cell(table, "%.1f", (double)(now.failures - then.failures) / seconds);
    table_cell(table, "%lld", now.queued);
    table_cell(table, "%lld", now.active);
    table_cell(table, "%s", duration_format(ns, latency, sizeof(latency)));
    table_cell(table, "%.1f%%", MAX(now.cpu - then.cpu, 0.0) / seconds * 100);
    table_cell(table, "%s", format_size(usage, "private_bytes", memory, sizeof(memory)));
    table_cell(table, "%lld", get_number(usage, "threads"));
    table_cell(table, "%s", get_text(module, "output"));
}

static void draw(const struct ctl *ctl, const json_t *status, const json_t *before)
{
    static const char *const columns[] = {"MODULE",   "STATE",    ">RUNS/S", ">FAILED/S",
                                          ">QUEUED",  ">ACTIVE",  ">LAST",   ">CPU",
                                          ">PRIVATE", ">THREADS", "NOTES",   NULL};
    struct table *table = table_create(ctl, columns);
    double seconds = json_number_value(json_object_get(status, "uptime")) -
                     json_number_value(json_object_get(before, "uptime"));
    json_t *module;
    size_t i;

    printf("reeved %s, pid %lld: %s, %s\n\n", get_text(status, "version"),
           get_number(status, "pid"), get_text(status, "phase"), get_text(status, "status"));
    json_array_foreach(json_object_get(status, "modules"), i, module)
        add_module(table, module, before, seconds > 0 ? seconds : 1);
    table_print(table);
    fflush(stdout);
}

int command_top(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    bool live = isatty(STDOUT_FILENO);
    json_t *before, *status;
    int r = ctl_get_status(ctl, &before);

    while (r == 0) {
        if (!output_wait(1000)) {
            r = CTL_EXIT_FAILURE;
            break;
        }
        r = ctl_get_status(ctl, &status);
        if (r != 0)
            break;
        /* Home, and clear what was there. */
        if (live)
            fputs("\x1b[H\x1b[2J", stdout);
        draw(ctl, status, before);
        json_decref(before);
        before = status;
        if (!live)
            break;
    }
    json_decref(before);
    return r;
}
