/* SPDX-License-Identifier: MIT */
#include "daemon/control/health_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "wire/health.h"
#include "wire/scoreboard.h"

/* How late a task may start before it counts as not having run: a busy machine is not a fault, and
 * yet health is to be true within one second. */
#define LATE_SLACK (900 * NSEC_PER_MSEC)

static void worsen(enum health *health, enum health at_least)
{
    *health = MAX(*health, at_least);
}

static char *cut_to_ms(int64_t ns, char *buffer, size_t size)
{
    return duration_format(ns / NSEC_PER_MSEC * NSEC_PER_MSEC, buffer, size);
}

void health_of_task(struct snapshot_task *task, bool essential, int64_t now)
{
    const struct scoreboard_task *r = task->record;
    enum health bad = essential ? HEALTH_FAIL : HEALTH_WARN;
    bool busy = scoreboard_task_is_running(r);
    char text[DURATION_TEXT_SIZE];

    task->health = HEALTH_PASS;
    task->output[0] = '\0';
    if (busy && r->busy_until > 0 && now > r->busy_until) {
        worsen(&task->health, bad);
        snprintf(task->output, sizeof(task->output), "run %llu hangs: busy for %s",
                 (unsigned long long)r->run, cut_to_ms(now - r->started_at, text, sizeof(text)));
    } else if (!busy && r->next_due > 0 && now > r->next_due + LATE_SLACK) {
        worsen(&task->health, bad);
        snprintf(task->output, sizeof(task->output), "should have run %s ago and did not",
                 cut_to_ms(now - r->next_due, text, sizeof(text)));
    } else if (r->last_code < 0) {
        worsen(&task->health, HEALTH_WARN);
        snprintf(task->output, sizeof(task->output), "%s",
                 r->last_text[0] ? r->last_text : strerror(-r->last_code));
    }
}

enum health health_of_pool(const struct scoreboard_pool *pool, const char **ret_output)
{
    /* A failure that a success has followed is history. */
    bool failing = pool->last_failure_at > pool->succeeded_at;

    *ret_output = !failing ? "" : pool->last_text[0] ? pool->last_text : "the last job failed";
    return failing ? HEALTH_WARN : HEALTH_PASS;
}

static void state_health(struct snapshot_module *module, const struct unit *unit, enum phase phase)
{
    bool first_start = phase <= PHASE_STARTING;
    const char *activity = unit->activity;

    if (unit->attached && host_awaits_leftovers(unit->tenancy->host))
        activity = "waiting for the end of processes that its host has left behind";
    switch (unit->state) {
    case UNIT_READY:
    case UNIT_STATE_COUNT:
        break;
    case UNIT_STOPPED:
        /* Somebody stopped it, or it ended as it may. An essential one is still missed. */
        worsen(&module->health, module->essential ? HEALTH_FAIL : HEALTH_PASS);
        break;
    case UNIT_CHECKING:
    case UNIT_WAITING:
    case UNIT_STARTING:
    case UNIT_STOPPING:
        worsen(&module->health, module->essential && !first_start ? HEALTH_FAIL : HEALTH_WARN);
        break;
    case UNIT_BACKOFF:
    case UNIT_FAILED:
        worsen(&module->health, module->essential ? HEALTH_FAIL : HEALTH_WARN);
        break;
    }
    if (unit->state == UNIT_READY && unit->goal != GOAL_NONE)
        snprintf(module->output, sizeof(module->output), "about to %s: %s",
                 unit->goal == GOAL_DOWN ? "stop" : "restart", unit->cause.text);
    else if (unit->state == UNIT_READY && unit->deferred[0] != '\0')
        snprintf(module->output, sizeof(module->output), "takes its new options when %s",
                 unit->deferred);
    else if (unit->state == UNIT_READY && unit->reloading)
        snprintf(module->output, sizeof(module->output), "takes its new options");
    if (unit->state != UNIT_READY)
        snprintf(module->output, sizeof(module->output), "%s%s%s%s%s", unit_state_name(unit->state),
                 unit->reason[0] ? ": " : "", unit->reason, activity[0] ? "; " : "", activity);
}

bool health_has_recovered(const struct snapshot_module *module, const struct unit *unit)
{
    for (size_t i = 0; i < module->task_count; i++) {
        const struct scoreboard_task *task = module->tasks[i].record;

        if (strcmp(task->name, unit->crash.task) == 0)
            return unit->state == UNIT_READY && task->succeeded_at > unit->ready_since;
    }
    for (size_t i = 0; i < module->pool_count; i++)
        if (strcmp(module->pools[i].name, unit->crash.task) == 0)
            return unit->state == UNIT_READY && module->pools[i].succeeded_at > unit->ready_since;
    return unit->state == UNIT_READY;
}

/* The answer of its own health(), or that it should have answered by now: then its last answer is
 * two intervals old, and says nothing of how the module is. */
static void own_health(struct snapshot_module *module, const struct unit *unit,
                       const struct scoreboard_module *record, int64_t now)
{
    enum health bad = module->essential ? HEALTH_FAIL : HEALTH_WARN;
    int64_t since = MAX(record->health_at, unit->ready_since);
    char text[DURATION_TEXT_SIZE];

    if (strcmp(record->activity, HEALTH_ACTIVITY) == 0 && record->busy_since > 0 &&
        now > record->busy_since + HEALTH_INTERVAL + LATE_SLACK) {
        worsen(&module->health, HEALTH_WARN);
        snprintf(module->output, sizeof(module->output), "health() has not answered for %s",
                 duration_format((now - since) / NSEC_PER_SEC * NSEC_PER_SEC, text, sizeof(text)));
    } else if (record->health_at > 0 && record->health_code < 0) {
        worsen(&module->health, bad);
        snprintf(module->output, sizeof(module->output), "%s",
                 record->health_text[0] ? record->health_text : strerror(-record->health_code));
    }
}

void health_of_module(struct snapshot_module *module, const struct unit *unit, enum phase phase,
                      const struct scoreboard_module *record, int64_t now)
{
    const char *text;

    module->health = HEALTH_PASS;
    state_health(module, unit, phase);
    if (module->leaving) {
        /* Nobody misses it. */
        module->health = HEALTH_PASS;
        snprintf(module->output, sizeof(module->output), "no longer configured, %s%s%s",
                 unit->state == UNIT_READY ? "about to stop" : unit_state_words(unit->state),
                 unit->activity[0] ? ": " : "", unit->activity);
        return;
    }
    if (module->moves_to[0] != '\0')
        snprintf(module->output, sizeof(module->output), "moves from host %s to %s, %s%s%s",
                 module->host, module->moves_to,
                 unit->state == UNIT_READY ? "about to stop" : unit_state_words(unit->state),
                 unit->activity[0] ? ": " : "", unit->activity);
    for (size_t i = 0; i < module->task_count; i++)
        worsen(&module->health, module->tasks[i].health);
    for (size_t i = 0; i < module->pool_count; i++)
        worsen(&module->health, health_of_pool(&module->pools[i], &text));
    if (unit->state == UNIT_READY && unit->attached && host_scoreboard(unit->tenancy->host) &&
        !scoreboard_is_intact(host_scoreboard(unit->tenancy->host))) {
        worsen(&module->health, module->essential ? HEALTH_FAIL : HEALTH_WARN);
        snprintf(module->output, sizeof(module->output), "it has damaged its scoreboard");
    }
    /* Its reload has failed. It is stopped when those who require it are, but nothing of it runs
     * any more. */
    if (record->state == SCOREBOARD_MODULE_STOPPED)
        worsen(&module->health, module->essential ? HEALTH_FAIL : HEALTH_WARN);
    if (unit->attached && host_is_stopped(unit->tenancy->host)) {
        worsen(&module->health, module->essential ? HEALTH_FAIL : HEALTH_WARN);
        snprintf(module->output, sizeof(module->output), "its process is stopped by a signal");
    }
    if (unit->state == UNIT_READY)
        own_health(module, unit, record, now);
    if (module->crash)
        worsen(&module->health, HEALTH_WARN);
}

void health_of_all(struct snapshot *snapshot)
{
    bool essential_ready = true;

    snapshot->health = HEALTH_PASS;
    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];

        worsen(&snapshot->health, module->health);
        snapshot->modules_ready += module->ready;
        snapshot->modules_configured += !module->leaving;
        if (module->essential && !module->ready)
            essential_ready = false;
    }
    snapshot->started = snapshot->phase >= PHASE_RUNNING;
    snapshot->ready = snapshot->phase == PHASE_RUNNING && essential_ready;
    if (snapshot->phase != PHASE_RUNNING)
        worsen(&snapshot->health, HEALTH_WARN);
}
