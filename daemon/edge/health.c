/* SPDX-License-Identifier: MIT */
/* The health document: draft-inadarei-api-health-check-06. It is for everybody. */
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/edge/edge_internal.h"
#include "daemon/supervisor/judge.h"

static json_t *make_check(const struct snapshot *snapshot, const char *type, enum health health,
                          const char *output)
{
    char time[CLOCK_TEXT_SIZE];
    json_t *check =
        json_pack("{s:s, s:s, s:s}", "componentType", type, "status", health_name(health), "time",
                  clock_format(snapshot->taken_realtime, time, sizeof(time)));

    /* The draft: output is left out of a check that passes. */
    if (check && health != HEALTH_PASS && output[0] != '\0')
        json_object_set_new(check, "output", edge_public(output));
    return check;
}

/* A measurement has a list of observations; ours have one. */
static void add_check(json_t *checks, const char *component, const char *measurement, json_t *check)
{
    char key[192];
    json_t *list = json_array();

    snprintf(key, sizeof(key), "%s:%s", component, measurement);
    json_array_append_new(list, check);
    json_object_set_new(checks, key, list);
}

static void add_task(json_t *checks, const struct snapshot *snapshot,
                     const struct snapshot_module *module, const struct snapshot_task *task)
{
    const struct scoreboard_task *record = &task->record;
    json_t *check = make_check(snapshot, "component", task->health, task->output);
    char component[160];

    snprintf(component, sizeof(component), "%s/%s", module->name, record->name);
    if (check && record->ended_at > 0) {
        json_object_set_new(check, "observedValue",
                            json_real((double)record->last_duration / NSEC_PER_MSEC));
        json_object_set_new(check, "observedUnit", json_string("ms"));
    }
    if (check && record->progress[0] != '\0')
        json_object_set_new(check, "notes", edge_public(record->progress));
    add_check(checks, component, "duration", check);
}

static void add_pool(json_t *checks, const struct snapshot *snapshot,
                     const struct snapshot_module *module, const struct scoreboard_pool *pool)
{
    const char *output;
    enum health health = judge_pool(pool, &output);
    json_t *check = make_check(snapshot, "component", health, output);
    char component[160];

    snprintf(component, sizeof(component), "%s/%s", module->name, pool->name);
    if (check) {
        json_object_set_new(check, "observedValue", json_integer(pool->queued));
        json_object_set_new(check, "observedUnit", json_string("jobs"));
    }
    add_check(checks, component, "queue", check);
}

static void add_module(json_t *checks, const struct snapshot *snapshot,
                       const struct snapshot_module *module)
{
    json_t *check = make_check(snapshot, "component", module->health, module->output);

    if (check)
        json_object_set_new(check, "observedValue", json_string(unit_state_name(module->state)));
    add_check(checks, module->name, "state", check);
    if (module->crash.summary[0] != '\0')
        add_check(checks, module->name, "crash",
                  make_check(snapshot, "component", HEALTH_WARN, module->crash.summary));
    for (size_t i = 0; i < module->task_count; i++)
        add_task(checks, snapshot, module, &module->tasks[i]);
    for (size_t i = 0; i < module->pool_count; i++)
        add_pool(checks, snapshot, module, &module->pools[i]);
}

json_t *health_json(const struct snapshot *snapshot)
{
    json_t *checks = json_object(), *health;
    double uptime = (double)(snapshot->taken - snapshot->started_at) / NSEC_PER_SEC;

    add_check(checks, "reeved", "uptime",
              json_pack("{s:s, s:s, s:f, s:s}", "componentType", "system", "status", "pass",
                        "observedValue", uptime, "observedUnit", "s"));
    for (size_t i = 0; i < snapshot->module_count; i++)
        add_module(checks, snapshot, &snapshot->modules[i]);
    health = json_pack("{s:s, s:s, s:s, s:s, s:o}", "status", health_name(snapshot->health),
                       "version", "1", "releaseId", REEVE_VERSION, "description",
                       "reeved, supervisor of modules", "checks", checks);
    if (health && snapshot->phase != PHASE_RUNNING)
        json_object_set_new(health, "output", json_string(phase_name(snapshot->phase)));
    return health;
}
