/* SPDX-License-Identifier: MIT */
#include "daemon/control/snapshot_take.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/control/health_rules.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/process/host.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/tenancy.h"
#include "wire/scoreboard.h"

/* Health is to be true within one second; a burst of probes shares one reading of the scoreboards.
 */
#define FRESH (20 * NSEC_PER_MSEC)

/* A run that goes on for as long as its module does will never end in a success. Where the one
 * before was lost with its host, it is one that it goes on. */
static void forgive_loss(struct scoreboard_task *task, int64_t now)
{
    if (!counters_has_lost(task) || task->busy_until > 0 || !scoreboard_task_has_overrun(task, now))
        return;
    task->last_code = 0;
    task->last_text[0] = '\0';
    task->failures_in_row = 0;
}

/* Takes over the records. */
static int take_tasks(struct snapshot_module *module, const struct counters *counters, int64_t now)
{
    module->records = counters->tasks;
    if (counters->task_count == 0)
        return 0;
    module->tasks = reallocarray(NULL, counters->task_count, sizeof(*module->tasks));
    if (!module->tasks)
        return -ENOMEM;
    module->task_count = counters->task_count;
    for (size_t i = 0; i < counters->task_count; i++) {
        module->tasks[i].record = &module->records[i];
        forgive_loss(&module->records[i], now);
        health_of_task(&module->tasks[i], module->essential, now);
    }
    return 0;
}

/* The record of the module that runs; zeros when there is none. */
static void read_record(const struct unit *unit, const struct scoreboard *board,
                        struct scoreboard_module *ret_record)
{
    if (!board || unit->state != UNIT_READY || unit->slot >= SCOREBOARD_MODULES ||
        !scoreboard_read_module(board, unit->slot, ret_record) || !ret_record->head.used)
        *ret_record = (struct scoreboard_module){0};
    text_clean_lines(ret_record->health_text, sizeof(ret_record->health_text));
}

/* A module that moves to another host is what still runs in its old one: the unit in the new host
 * waits for that. */
static bool is_shown(const struct unit *unit)
{
    const struct unit *leaving = units_find_leaving(unit->all, unit->name);

    return unit->removed ? unit == leaving : !leaving;
}

/* Few of a thousand modules have crashed or restarted: only those have a memory for it. Nobody
 * misses what a module that leaves has not done since its crash. */
static int take_last(struct snapshot_module *module, const struct unit *unit)
{
    if (unit->crash.summary[0] != '\0' && !module->leaving && !health_has_recovered(module, unit)) {
        module->crash = malloc(sizeof(*module->crash));
        if (!module->crash)
            return -ENOMEM;
        *module->crash = unit->crash;
    }
    if (unit->last_restart.kind != CAUSE_NONE) {
        module->last_restart = malloc(sizeof(*module->last_restart));
        if (!module->last_restart)
            return -ENOMEM;
        *module->last_restart = unit->last_restart;
    }
    return 0;
}

static int take_module(struct unit *unit, const struct snapshot *snapshot,
                       struct snapshot_module *module)
{
    const struct host *host = unit->tenancy->host;
    const struct scoreboard *board = unit->attached ? host_scoreboard(host) : NULL;
    const struct unit *configured = unit->removed ? units_find(unit->all, unit->name) : unit;
    struct scoreboard_module record;
    struct counters counters;
    int r;

    memset(module, 0, offsetof(struct snapshot_module, output));
    module->output[0] = '\0';
    module->name = strdup(unit->name);
    if (!module->name)
        return -ENOMEM;
    module->state = unit->state;
    module->leaving = !configured;
    module->essential = configured && configured->settings->essential;
    if (configured && configured != unit)
        string_copy(module->moves_to, sizeof(module->moves_to), configured->settings->host);
    module->state_since = unit->state_since;
    module->start_patience = unit->settings->start_timeout;
    module->stop_patience =
        MIN(unit->settings->drain_stall, unit->settings->drain) + unit->settings->grace;
    module->pid = unit->attached ? host_pid(host) : 0;
    module->starts = unit->starts;
    module->restarts = unit->restarts;
    module->crashes = unit->crashes;
    module->hangs = unit->hangs;
    module->jobs_lost = unit->jobs_lost;
    string_copy(module->host, sizeof(module->host), host_name(host));
    r = counters_copy(&unit->counters, board, unit->slot, &counters);
    if (r < 0)
        return r;
    module->pools = counters.pools;
    module->pool_count = counters.pool_count;
    r = take_tasks(module, &counters, snapshot->taken);
    if (r == 0)
        r = take_last(module, unit);
    if (r < 0)
        return r;
    module->moved_at = board ? scoreboard_read_moved(board, unit->slot) : 0;
    read_record(unit, board, &record);
    module->ready =
        unit->state == UNIT_READY && !unit->removed && record.state != SCOREBOARD_MODULE_STOPPED;
    module->health_at = record.health_at;
    health_of_module(module, unit, snapshot->phase, &record, snapshot->taken);
    return 0;
}

/* Without modules, and with room for so many. Returns NULL without memory. */
static struct snapshot *make_snapshot(struct supervisor *supervisor, size_t count)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (!snapshot)
        return NULL;
    snapshot->supervisor = supervisor;
    snapshot->taken = clock_monotonic();
    snapshot->taken_realtime = clock_realtime();
    snapshot->started_at = supervisor->started_at;
    snapshot->generation = supervisor->units.generation;
    snapshot->phase = supervisor->units.phase;
    snapshot->reloading = supervisor->reload.under_way;
    snapshot->upgrades = supervisor->upgrades;
    snapshot->rolling = supervisor->units.rolling;
    snapshot->reloads = supervisor->reload.counts;
    snapshot->cause = supervisor->cause;
    snapshot->modules = reallocarray(NULL, count + 1, sizeof(*snapshot->modules));
    if (!snapshot->modules) {
        snapshot_free(snapshot);
        return NULL;
    }
    return snapshot;
}

int snapshot_take(struct supervisor *supervisor, struct snapshot **ret_snapshot)
{
    struct snapshot *snapshot;
    struct unit *unit;
    size_t count = 0;

    LIST_FOREACH (unit, &supervisor->units.list, list)
        count++;
    snapshot = make_snapshot(supervisor, count);
    if (!snapshot)
        return -ENOMEM;
    snapshot->foreign_hosts = tenancies_foreign(&supervisor->units);
    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (is_shown(unit) &&
            take_module(unit, snapshot, &snapshot->modules[snapshot->module_count++]) < 0) {
            snapshot_free(snapshot);
            return -ENOMEM;
        }
    health_of_all(snapshot);
    *ret_snapshot = snapshot;
    return 0;
}

int snapshot_take_one(struct supervisor *supervisor, const char *name,
                      struct snapshot **ret_snapshot)
{
    struct snapshot *snapshot = make_snapshot(supervisor, 1);
    struct unit *unit = units_find_leaving(&supervisor->units, name);

    if (!snapshot)
        return -ENOMEM;
    if (!unit)
        unit = units_find(&supervisor->units, name);
    if (unit && take_module(unit, snapshot, &snapshot->modules[snapshot->module_count++]) < 0) {
        snapshot_free(snapshot);
        return -ENOMEM;
    }
    *ret_snapshot = snapshot;
    return 0;
}

bool snapshot_is_stale(const struct snapshot *snapshot, const struct supervisor *supervisor)
{
    return snapshot->generation != supervisor->units.generation ||
           clock_monotonic() - snapshot->taken > FRESH;
}
