/* SPDX-License-Identifier: MIT */
#include "daemon/edge/page/page_state.h"

#include "base/duration.h"
#include "base/macro.h"
#include "daemon/control/health_rules.h"
#include "daemon/edge/json_writer.h"
#include "daemon/edge/page/run_history.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* Of what is given in nanoseconds. To the millisecond: the page shows no more. */
static void write_seconds(struct json_writer *json, const char *key, int64_t ns)
{
    json_write_real(json, key, (double)(ns / NSEC_PER_MSEC) / 1000);
}

/* Nothing for "". */
static void write_text(struct json_writer *json, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_write_public(json, key, text);
}

/* Nothing for 0. */
static void write_count(struct json_writer *json, const char *key, uint64_t count)
{
    if (count > 0)
        json_write_integer(json, key, (long long)count);
}

static const char *task_state(const struct scoreboard_task *record)
{
    return record->state == SCOREBOARD_TASK_RUNNING     ? "running"
           : record->state == SCOREBOARD_TASK_CANCELLED ? "cancelled"
           : record->state == SCOREBOARD_TASK_WAITING   ? "waiting"
                                                        : "stopped";
}

static void write_task(struct json_writer *json, const struct documents *documents,
                       const struct snapshot *snapshot, const struct snapshot_module *module,
                       const struct snapshot_task *task)
{
    const struct scoreboard_task *record = task->record;
    char line[RUN_HISTORY_SIZE];

    json_write_begin(json, NULL, '{');
    json_write_string(json, "name", record->name);
    json_write_string(json, "state", task_state(record));
    if (task->health != HEALTH_PASS)
        json_write_string(json, "health", health_name(task->health));
    write_text(json, "schedule", record->schedule);
    write_text(json, "output", task->output);
    write_text(json, "progress", record->progress);
    write_count(json, "runs", record->runs);
    write_count(json, "failures", record->failures);
    if (record->ended_at > 0)
        write_seconds(json, "took", record->last_duration);
    if (scoreboard_task_is_running(record)) {
        json_write_integer(json, "run", (long long)record->run);
        write_seconds(json, "running", snapshot->taken - record->started_at);
    }
    if (record->state == SCOREBOARD_TASK_WAITING && record->next_due > 0)
        write_seconds(json, "next_in", record->next_due - snapshot->taken);
    if (documents->history) {
        run_history_line(documents->history, module->name, task, line);
        json_write_string(json, "hour", line);
    }
    json_write_end(json, '{');
}

static void write_pool(struct json_writer *json, const struct scoreboard_pool *pool)
{
    const char *output;
    uint64_t ended = pool->finished + pool->failed;

    (void)health_of_pool(pool, &output);
    json_write_begin(json, NULL, '{');
    json_write_string(json, "name", pool->name);
    json_write_integer(json, "workers", pool->workers);
    json_write_integer(json, "capacity", pool->capacity);
    write_count(json, "queued", pool->queued);
    write_count(json, "active", pool->active);
    write_count(json, "finished", pool->finished);
    write_count(json, "failed", pool->failed);
    write_count(json, "lost", pool->lost);
    if (ended > 0)
        write_seconds(json, "took", pool->job_duration.sum / (int64_t)ended);
    write_text(json, "output", output);
    json_write_end(json, '{');
}

/* The kind of the last restart, but not the reason, which may quote paths and addresses. */
static void write_module(struct json_writer *json, const struct documents *documents,
                         const struct snapshot *snapshot, const struct snapshot_module *module)
{
    const struct restart *restart = module->last_restart;

    json_write_begin(json, NULL, '{');
    json_write_string(json, "name", module->name);
    json_write_string(json, "state", unit_state_name(module->state));
    json_write_string(json, "health", health_name(module->health));
    write_count(json, "ready", module->ready);
    write_count(json, "essential", module->essential);
    write_seconds(json, "since", snapshot->taken - module->state_since);
    write_text(json, "output", module->output);
    if (module->crash)
        write_text(json, "crash", module->crash->summary);
    write_count(json, "restarts", module->restarts);
    if (restart) {
        write_seconds(json, "restarted", snapshot->taken - restart->at);
        json_write_string(json, "restart_kind", cause_kind_name(restart->kind));
    }
    json_write_begin(json, "tasks", '[');
    for (size_t i = 0; i < module->task_count; i++)
        write_task(json, documents, snapshot, module, &module->tasks[i]);
    json_write_end(json, '[');
    json_write_begin(json, "pools", '[');
    for (size_t i = 0; i < module->pool_count; i++)
        write_pool(json, &module->pools[i]);
    json_write_end(json, '[');
    json_write_end(json, '{');
}

static void write_state(const struct documents *documents, const struct snapshot *snapshot,
                        size_t connections _unused_, struct text *text)
{
    struct json_writer json;

    json_writer_init(&json, text, false);
    json_write_begin(&json, NULL, '{');
    json_write_string(&json, "version", REEVE_VERSION);
    json_write_string(&json, "health", health_name(snapshot->health));
    json_write_string(&json, "phase", phase_name(snapshot->phase));
    write_seconds(&json, "uptime", snapshot->taken - snapshot->started_at);
    if (snapshot->cause.code != 0)
        write_text(&json, "cause", snapshot->cause.text);
    if (snapshot->reloads.last_failed)
        write_text(&json, "reload_error", "the last reload failed: reevectl status says why");
    json_write_begin(&json, "modules", '[');
    for (size_t i = 0; i < snapshot->module_count; i++)
        write_module(&json, documents, snapshot, &snapshot->modules[i]);
    json_write_end(&json, '[');
    json_write_end(&json, '{');
    json_writer_finish(&json);
}

const struct document page_state_document = {"application/json", write_state};
