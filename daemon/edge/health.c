/* SPDX-License-Identifier: MIT */
/* The health document: draft-inadarei-api-health-check-06. It is for everybody. */
#include "daemon/edge/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/control/health_rules.h"
#include "daemon/edge/json_writer.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* One document; what all checks have in common. */
struct health_writer {
    struct json_writer json;
    const struct snapshot *snapshot;
    char time[CLOCK_TEXT_SIZE];
};

/* A measurement has a list of observations; ours have one. */
static void begin_check(struct health_writer *writer, const char *component,
                        const char *measurement, enum health health, const char *output)
{
    char key[192];

    snprintf(key, sizeof(key), "%s:%s", component, measurement);
    json_write_begin(&writer->json, key, '[');
    json_write_begin(&writer->json, NULL, '{');
    json_write_string(&writer->json, "componentType", "component");
    json_write_string(&writer->json, "status", health_name(health));
    json_write_string(&writer->json, "time", writer->time);
    /* The draft: output is left out of a check that passes. */
    if (health != HEALTH_PASS && output[0] != '\0')
        json_write_public(&writer->json, "output", output);
}

static void end_check(struct health_writer *writer)
{
    json_write_end(&writer->json, '{');
    json_write_end(&writer->json, '[');
}

static void add_task(struct health_writer *writer, const struct snapshot_module *module,
                     const struct snapshot_task *task)
{
    const struct scoreboard_task *record = task->record;
    char component[160];

    snprintf(component, sizeof(component), "%s/%s", module->name, record->name);
    begin_check(writer, component, "duration", task->health, task->output);
    if (record->ended_at > 0) {
        json_write_real(&writer->json, "observedValue",
                        (double)record->last_duration / NSEC_PER_MSEC);
        json_write_string(&writer->json, "observedUnit", "ms");
    }
    if (record->progress[0] != '\0')
        json_write_public(&writer->json, "notes", record->progress);
    end_check(writer);
}

static void add_pool(struct health_writer *writer, const struct snapshot_module *module,
                     const struct scoreboard_pool *pool)
{
    const char *output;
    enum health health = health_of_pool(pool, &output);
    char component[160];

    snprintf(component, sizeof(component), "%s/%s", module->name, pool->name);
    begin_check(writer, component, "queue", health, output);
    json_write_integer(&writer->json, "observedValue", pool->queued);
    json_write_string(&writer->json, "observedUnit", "jobs");
    end_check(writer);
}

static void add_module(struct health_writer *writer, const struct snapshot_module *module)
{
    begin_check(writer, module->name, "state", module->health, module->output);
    json_write_string(&writer->json, "observedValue", unit_state_name(module->state));
    end_check(writer);
    if (module->crash) {
        begin_check(writer, module->name, "crash", HEALTH_WARN, module->crash->summary);
        end_check(writer);
    }
    for (size_t i = 0; i < module->task_count; i++)
        add_task(writer, module, &module->tasks[i]);
    for (size_t i = 0; i < module->pool_count; i++)
        add_pool(writer, module, &module->pools[i]);
}

static void add_uptime(struct health_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    json_write_begin(&writer->json, "reeved:uptime", '[');
    json_write_begin(&writer->json, NULL, '{');
    json_write_string(&writer->json, "componentType", "system");
    json_write_string(&writer->json, "status", "pass");
    json_write_real(&writer->json, "observedValue",
                    (double)(snapshot->taken - snapshot->started_at) / NSEC_PER_SEC);
    json_write_string(&writer->json, "observedUnit", "s");
    end_check(writer);
}

void health_write(const struct snapshot *snapshot, const struct snapshot_module *only,
                  struct text *text)
{
    struct health_writer writer = {.snapshot = snapshot};

    json_writer_init(&writer.json, text, true);
    clock_format(snapshot->taken_realtime, writer.time, sizeof(writer.time));
    json_write_begin(&writer.json, NULL, '{');
    json_write_string(&writer.json, "status", health_name(only ? only->health : snapshot->health));
    json_write_string(&writer.json, "version", "1");
    json_write_string(&writer.json, "releaseId", REEVE_VERSION);
    json_write_string(&writer.json, "description", "reeved, supervisor of modules");
    json_write_begin(&writer.json, "checks", '{');
    add_uptime(&writer);
    for (size_t i = 0; i < snapshot->module_count; i++)
        if (!only || only == &snapshot->modules[i])
            add_module(&writer, &snapshot->modules[i]);
    json_write_end(&writer.json, '{');
    if (snapshot->phase != PHASE_RUNNING)
        json_write_string(&writer.json, "output", phase_name(snapshot->phase));
    json_write_end(&writer.json, '{');
    json_writer_finish(&writer.json);
}

static void write_all(const struct documents *documents _unused_, const struct snapshot *snapshot,
                      size_t connections _unused_, struct text *text)
{
    health_write(snapshot, NULL, text);
}

const struct document health_document = {"application/health+json", write_all};
