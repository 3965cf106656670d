/* SPDX-License-Identifier: MIT */
/* Everything that a snapshot knows, as JSON for the control socket. Times are seconds. */
#include "daemon/edge/control/status.h"

#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/control/usage_report.h"
#include "daemon/edge/respond.h"
#include "daemon/process/crash.h"
#include "daemon/serialize/fields.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* All of a text, in one line. */
static json_t *whole(const char *text)
{
    /* Room for all of the longest, which grows. */
    char line[2 * sizeof(((struct snapshot_module *)NULL)->output)];

    string_copy(line, sizeof(line), text);
    text_join_lines(line, sizeof(line));
    return serialize_text(line);
}

/* How long ago, or null for never. */
static json_t *age(const struct snapshot *snapshot, int64_t monotonic)
{
    return monotonic > 0 ? json_seconds(snapshot->taken - monotonic) : json_null();
}

static const char *task_state(const struct scoreboard_task *task)
{
    switch (task->state) {
    case SCOREBOARD_TASK_WAITING:
        return "waiting";
    case SCOREBOARD_TASK_RUNNING:
        return "running";
    case SCOREBOARD_TASK_CANCELLED:
        return "cancelled";
    default:
        return "stopped";
    }
}

static void add_time(json_t *list, int64_t realtime)
{
    char time[CLOCK_TEXT_SIZE];

    json_array_append_new(list, json_string(clock_format(realtime, time, sizeof(time))));
}

/* The next runs, as real times: points of the wall clock, or of the interval's grid. The point of a
 * run that is under way is past. */
static json_t *next_json(const struct snapshot *snapshot, const struct scoreboard_task *task)
{
    int64_t due = task->next_due - snapshot->taken, missed = 0;
    json_t *next = json_array();

    /* When the next begins after one that overruns is not known. */
    if (task->next_due == 0 || scoreboard_task_has_overrun(task, snapshot->taken))
        return next;
    for (size_t i = 0; i < SCOREBOARD_POINTS && task->points[0] != 0; i++)
        if (task->points[i] > snapshot->taken_realtime)
            add_time(next, task->points[i]);
    if (task->points[0] == 0 && task->interval > 0 && due <= 0)
        missed = -due / task->interval + 1;
    for (int64_t i = 0; i < SCOREBOARD_POINTS && task->points[0] == 0 && task->interval > 0 &&
                        task->interval < SCOREBOARD_REALTIME_MAX / (2 * SCOREBOARD_POINTS);
         i++)
        add_time(next, snapshot->taken_realtime + due + (missed + i) * task->interval);
    return next;
}

/* Its schedule has no point any more. While a run goes on, or is held up, none is planned either.
 */
static bool never_comes(const struct scoreboard_task *task)
{
    return task->state == SCOREBOARD_TASK_WAITING && task->schedule[0] != '\0' &&
           task->next_due == 0 && task->points[0] == 0 && task->interval == 0;
}

static json_t *task_json(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    const struct scoreboard_task *r = task->record;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:o}", "name", r->name,
        "state", task_state(r), "status", health_name(task->health), "output", whole(task->output),
        "run", (json_int_t)r->run, "runs", (json_int_t)r->runs, "failures", (json_int_t)r->failures,
        "timeouts", (json_int_t)r->timeouts, "cancels", (json_int_t)r->cancels, "skipped",
        (json_int_t)r->skipped, "last_code", (int)r->last_code, "last_error", whole(r->last_text),
        "progress", whole(r->progress));

    if (!json)
        return NULL;
    json_object_set_new(json, "schedule", serialize_text(r->schedule));
    json_object_set_new(json, "next", next_json(snapshot, r));
    json_object_set_new(json, "never", json_boolean(never_comes(r)));
    json_object_set_new(json, "interval",
                        r->interval > 0 ? json_seconds(r->interval) : json_null());
    json_object_set_new(json, "next_in",
                        r->next_due > 0 && r->state == SCOREBOARD_TASK_WAITING
                            ? json_seconds(r->next_due - snapshot->taken)
                            : json_null());
    json_object_set_new(json, "running_for",
                        scoreboard_task_is_running(r) ? age(snapshot, r->started_at) : json_null());
    json_object_set_new(json, "started", age(snapshot, r->started_at));
    json_object_set_new(json, "ended", age(snapshot, r->ended_at));
    json_object_set_new(json, "succeeded", age(snapshot, r->succeeded_at));
    json_object_set_new(json, "last_duration",
                        r->ended_at > 0 ? json_seconds(r->last_duration) : json_null());
    return json;
}

static json_t *pool_json(const struct scoreboard_pool *pool)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
                     pool->name, "workers", (json_int_t)pool->workers, "capacity",
                     (json_int_t)pool->capacity, "queued", (json_int_t)pool->queued, "active",
                     (json_int_t)pool->active, "accepted", (json_int_t)pool->accepted, "finished",
                     (json_int_t)pool->finished, "failed", (json_int_t)pool->failed, "lost",
                     (json_int_t)pool->lost, "rejected", (json_int_t)pool->rejected, "retried",
                     (json_int_t)pool->retried, "last_error", whole(pool->last_text));
}

/* The usage of a host; shared by its tenants. Figures of a process are null without one. */
static json_t *usage_json(const struct usage_of_host *host)
{
    json_t *json = json_pack("{s:o}", "cpu_seconds", json_seconds(host->cpu));
    const struct usage *usage = &host->usage;
    bool running = host->running;

    if (!json)
        return NULL;
    json_object_set_new(json, "resident_bytes",
                        running ? json_integer((json_int_t)usage->resident) : json_null());
    json_object_set_new(json, "private_bytes",
                        running ? json_integer((json_int_t)usage->private_bytes) : json_null());
    json_object_set_new(json, "open_fds",
                        running && usage->open_fds >= 0 ? json_integer((json_int_t)usage->open_fds)
                                                        : json_null());
    json_object_set_new(json, "threads", running ? json_integer(usage->threads) : json_null());
    return json;
}

/* The age, and the time of day, by which the place in a log can be found. */
static json_t *restart_json(const struct snapshot *snapshot, const struct restart *restart)
{
    char time[CLOCK_TEXT_SIZE], crash[sizeof(struct crash)];

    if (!restart)
        return json_null();
    crash_describe(&restart->crash, crash, sizeof(crash));
    return json_pack("{s:s, s:o, s:o, s:o, s:s}", "kind", cause_kind_name(restart->kind), "reason",
                     serialize_text(restart->text), "crash", serialize_text(crash), "started",
                     age(snapshot, restart->at), "time",
                     clock_format(snapshot->taken_realtime - (snapshot->taken - restart->at), time,
                                  sizeof(time)));
}

static json_t *module_json(const struct snapshot *snapshot, const struct snapshot_module *module,
                           const struct usage_of_host *host)
{
    json_t *tasks = json_array(), *pools = json_array();
    char text[sizeof(struct crash)] = "";

    if (module->crash)
        crash_describe(module->crash, text, sizeof(text));
    for (size_t i = 0; i < module->task_count; i++)
        json_array_append_new(tasks, task_json(snapshot, &module->tasks[i]));
    for (size_t i = 0; i < module->pool_count; i++)
        json_array_append_new(pools, pool_json(&module->pools[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:s, s:i, s:o, s:I, s:I, s:o, s:I, s:o, s:o, s:o}",
        "name", module->name, "state", unit_state_name(module->state), "status",
        health_name(module->health), "essential", module->essential, "leaving", module->leaving,
        "output", whole(module->output), "crash", serialize_text(text), "host", module->host, "pid",
        (int)module->pid, "since", age(snapshot, module->state_since), "starts",
        (json_int_t)module->starts, "restarts", (json_int_t)module->restarts, "last_restart",
        restart_json(snapshot, module->last_restart), "jobs_lost", (json_int_t)module->jobs_lost,
        "tasks", tasks, "pools", pools, "usage", host ? usage_json(host) : json_null());
}

json_t *status_json(const struct edge *edge, const struct snapshot *snapshot)
{
    json_t *modules = json_array(), *listen = json_array(), *json;
    cleanup_usage_report struct usage_report bill;
    char time[CLOCK_TEXT_SIZE];

    /* Without memory for it the rest is told all the same. */
    (void)usage_report_take(snapshot, &bill);
    for (size_t i = 0; i < snapshot->module_count; i++)
        json_array_append_new(modules,
                              module_json(snapshot, &snapshot->modules[i],
                                          usage_report_find(&bill, snapshot->modules[i].host)));
    for (size_t i = 0; i < edge->addresses.count; i++)
        json_array_append_new(listen, json_string(edge->addresses.items[i]));
    json = json_pack("{s:s, s:i, s:s, s:s, s:b, s:b, s:o, s:s, s:o, s:o, s:o}", "version",
                     REEVE_VERSION, "pid", (int)getpid(), "phase", phase_name(snapshot->phase),
                     "status", health_name(snapshot->health), "ready", snapshot->ready, "reloading",
                     snapshot->reloading, "cause", serialize_text(snapshot->cause.text), "time",
                     clock_format(snapshot->taken_realtime, time, sizeof(time)), "uptime",
                     age(snapshot, snapshot->started_at), "listen", listen, "modules", modules);
    if (!json)
        return NULL;
    json_object_set_new(json, "generation", json_integer((json_int_t)snapshot->upgrades + 1));
    json_object_set_new(json, "upgrading", json_boolean(edge->upgrading));
    json_object_set_new(json, "replacing", json_boolean(snapshot->rolling));
    json_object_set_new(json, "hosts_to_replace", json_integer(snapshot->foreign_hosts));
    json_object_set_new(json, "upgrade_error", serialize_text(edge->upgrade_error));
    return json;
}
