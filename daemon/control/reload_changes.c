/* SPDX-License-Identifier: MIT */
#include "daemon/control/reload_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/control/goal.h"
#include "daemon/process/host.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "settings/compare.h"
#include "wire/scoreboard.h"

const char *reload_step_name(enum reload_step step)
{
    static const char *const step_names[] = {"keep", "reload", "restart", "add", "remove"};

    return step_names[step];
}

bool reload_changes_fixed(const struct config *before, const struct config *after)
{
    bool same = before->listen.count == after->listen.count;

    for (size_t i = 0; same && i < before->listen.count; i++)
        same = strcmp(before->listen.items[i], after->listen.items[i]) == 0;
    return !same || strcmp(before->control, after->control) != 0 ||
           before->connections_max != after->connections_max;
}

enum config_change reload_compare(struct units *units, const struct config_module *module)
{
    const struct config_module *old = config_find(units->config, module->name);
    const struct unit *unit = units_find(units, module->name);

    /* The file that its process has loaded counts: it may be newer than the configuration in force.
     */
    if (!old || (unit && !file_id_equal(&unit->file_id, &module->file_id)))
        return CONFIG_RESTART;
    return config_compare(old, module);
}

bool reload_needs_check(struct units *units, const struct config_module *module)
{
    return reload_compare(units, module) >= CONFIG_RELOAD;
}

/* Code that was loaded stays loaded: another .so for one tenant takes a new process for all; and so
 * does one that comes into a process which cannot take it. */
static bool needs_new_process(struct units *units, const struct config_module *module)
{
    const struct config_module *old = config_find(units->config, module->name);
    const struct tenancy *tenancy;

    if (old && strcmp(old->host, module->host) == 0)
        return reload_compare(units, module) == CONFIG_RESTART;
    tenancy = tenancy_find(units, module->host);
    return tenancy && !tenancy_suits(tenancy, module);
}

/* Marks the hosts whose processes must end. One that has no tenancy yet has no process either. */
static void find_new_processes(struct units *units, const struct config *after)
{
    struct tenancy *tenancy;

    LIST_FOREACH (tenancy, &units->tenancies, list) {
        tenancy->slots_needed = 0;
        tenancy->renewed = false;
    }
    for (size_t i = 0; i < after->module_count; i++) {
        tenancy = tenancy_find(units, after->modules[i]->host);
        if (!tenancy)
            continue;
        tenancy->slots_needed += tenancy_needs_slot(tenancy, after->modules[i]);
        tenancy->renewed = tenancy->renewed || needs_new_process(units, after->modules[i]);
    }
    /* Each may find a slot, but not all of them. */
    LIST_FOREACH (tenancy, &units->tenancies, list)
        if (tenancy->slots_needed > tenancy_free_slots(tenancy))
            tenancy->renewed = true;
}

static bool is_renewed(struct units *units, const char *host)
{
    const struct tenancy *tenancy = tenancy_find(units, host);

    return tenancy && tenancy->renewed;
}

static struct reload_change find_change(struct units *units, const struct config_module *module,
                                        const struct strings *steady)
{
    const struct config_module *old = config_find(units->config, module->name);
    const struct unit *unit = units_find(units, module->name);
    struct reload_change change = {.module = module->name, .held = unit && unit->held};
    enum config_change difference = reload_compare(units, module);

    if (!old) {
        change.step = RELOAD_ADD;
    } else if (difference == CONFIG_RESTART || is_renewed(units, module->host)) {
        change.step = RELOAD_RESTART;
        change.new_process = true;
    } else if (difference == CONFIG_RELOAD) {
        change.step = strings_have(steady, module->name) ? RELOAD_RESTART : RELOAD_OPTIONS;
    }
    return change;
}

static const char *describe_state(const struct unit *unit)
{
    return unit->state == UNIT_READY && unit->goal != GOAL_NONE ? "about to stop"
                                                                : unit_state_name(unit->state);
}

/* Why a module cannot go on beside one that it requires: its step, or its state when it does not
 * run or will not, whether that is new to the module or not. NULL: it can. */
static const char *find_obstacle(struct units *units, const struct unit *unit,
                                 const struct reload_change *required)
{
    const struct unit *other = units_find(units, required->module);

    if (!required->held && (required->step == RELOAD_RESTART || required->step == RELOAD_ADD))
        return reload_step_name(required->step);
    if (unit_is_running(unit) && other && (other->state != UNIT_READY || other->goal != GOAL_NONE))
        return describe_state(other);
    return NULL;
}

/* A module that goes down takes along those that require it. Returns whether a step has changed. */
static bool spread_restarts(struct units *units, const struct config *after,
                            struct reload_change *changes)
{
    bool changed = false;

    for (size_t i = 0; i < after->module_count; i++) {
        const struct config_module *module = after->modules[i];
        const struct unit *unit = units_find(units, module->name);
        struct reload_change *change = &changes[i];

        /* A module that does not run is not taken along. */
        if ((change->step != RELOAD_KEEP && change->step != RELOAD_OPTIONS) || !unit ||
            !unit_is_running(unit))
            continue;
        for (size_t j = 0; j < module->requires.count && !change->because; j++) {
            const struct config_module *other = config_find(after, module->requires.items[j]);

            if (other)
                change->because_state = find_obstacle(units, unit, &changes[other->index]);
            if (change->because_state)
                change->because = other->name;
        }
        if (!change->because)
            continue;
        change->step = RELOAD_RESTART;
        changed = true;
    }
    return changed;
}

/* Whether the reload starts it, by its own step or along with what it waits for. */
static bool is_started(const struct reload_change *change)
{
    if (change->held)
        return false;
    return change->step == RELOAD_KEEP ? change->because != NULL : change->step != RELOAD_REMOVE;
}

/* Whether a module that waits goes on waiting whatever the reload does, for one that nobody starts
 * now. */
static bool holds_up(struct units *units, const struct reload_change *change, bool required)
{
    struct unit *unit = units_find(units, change->module);

    if (!unit || is_started(change))
        return false;
    if (unit_goes_down(unit))
        return required;
    if (unit_is_down(unit))
        return required && unit->goal == GOAL_NONE;
    if (unit->state == UNIT_WAITING)
        return dependencies_wait(unit, NULL) >= (required ? WAIT_LATER : WAIT_NEVER);
    return unit->state == UNIT_BACKOFF && unit->goal == GOAL_NONE;
}

/* Returns false when one of them holds the module up; *ret_started is one that the reload starts,
 * if any. */
static bool look_at_waits(struct units *units, const struct config *after,
                          struct reload_change *changes, const struct strings *names, bool required,
                          const struct reload_change **ret_started)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct config_module *other = config_find(after, names->items[i]);
        const struct unit *unit = other ? units_find(units, other->name) : NULL;
        const struct reload_change *change = other ? &changes[other->index] : NULL;

        if (change && holds_up(units, change, required))
            return false;
        /* One that runs takes its new options as it is. */
        if (change && !*ret_started && is_started(change) &&
            (change->step != RELOAD_OPTIONS || (unit && unit->state != UNIT_READY)))
            *ret_started = change;
    }
    return true;
}

/* A module that waits for one that the reload starts, starts after it. Returns whether one more
 * does. */
static bool spread_starts(struct units *units, const struct config *after,
                          struct reload_change *changes)
{
    bool changed = false;

    for (size_t i = 0; i < after->module_count; i++) {
        const struct config_module *module = after->modules[i];
        const struct unit *unit = units_find(units, module->name);
        const struct reload_change *started = NULL;

        if (changes[i].step != RELOAD_KEEP || changes[i].because || !unit ||
            unit->state != UNIT_WAITING || unit->goal != GOAL_NONE)
            continue;
        if (!look_at_waits(units, after, changes, &module->requires, true, &started) ||
            !look_at_waits(units, after, changes, &module->after, false, &started) || !started)
            continue;
        changes[i].because = started->module;
        changes[i].because_state = started->step == RELOAD_KEEP ? unit_state_name(UNIT_WAITING)
                                                                : reload_step_name(started->step);
        changed = true;
    }
    return changed;
}

/* Whether it comes back, or comes, only to wait. */
static bool is_held_up(const struct reload_change *change)
{
    return change->because && change->step != RELOAD_KEEP &&
           strcmp(change->because_state, reload_step_name(RELOAD_RESTART)) != 0 &&
           strcmp(change->because_state, reload_step_name(RELOAD_ADD)) != 0;
}

/* A module that restarts for its own sake, or is new, may find that it cannot run. Returns whether
 * that has come out of one more. */
static bool spread_obstacles(struct units *units, const struct config *after,
                             struct reload_change *changes)
{
    bool changed = false;

    for (size_t i = 0; i < after->module_count; i++) {
        const struct config_module *module = after->modules[i];
        struct reload_change *change = &changes[i];

        if ((change->step != RELOAD_RESTART && change->step != RELOAD_ADD) || change->held)
            continue;
        for (size_t j = 0; j < module->requires.count && !change->because; j++) {
            const struct config_module *other = config_find(after, module->requires.items[j]);
            const struct reload_change *required = other ? &changes[other->index] : NULL;
            bool waits = required && is_held_up(required);

            if (!required || (!waits && !holds_up(units, required, true)))
                continue;
            change->because = other->name;
            change->because_state = waits ? unit_state_name(UNIT_WAITING)
                                          : describe_state(units_find(units, other->name));
            changed = true;
        }
    }
    return changed;
}

/* The work that is under way now, as far as its records can be read. */
static char *find_work(struct units *units, const char *module)
{
    struct unit *unit = units_find(units, module);
    const struct scoreboard *board =
        unit && unit->attached ? host_scoreboard(unit->tenancy->host) : NULL;
    cleanup_text struct text text = {0};

    for (unsigned i = 0; board && scoreboard_next_task(board, unit->slot, &i); i++) {
        struct scoreboard_task task;

        if (scoreboard_read_task(board, i, &task) && task.head.used && task.module == unit->slot &&
            (task.state == SCOREBOARD_TASK_RUNNING || task.state == SCOREBOARD_TASK_CANCELLED))
            text_append_format(&text, "%srun %s#%llu", text.length > 0 ? ", " : "", task.name,
                               (unsigned long long)task.run);
    }
    for (unsigned i = 0; board && scoreboard_next_pool(board, unit->slot, &i); i++) {
        struct scoreboard_pool pool;

        if (scoreboard_read_pool(board, i, &pool) && pool.head.used && pool.module == unit->slot &&
            pool.active > 0)
            text_append_format(&text, "%s%u %s of %s", text.length > 0 ? ", " : "", pool.active,
                               plural(pool.active, "job", "jobs"), pool.name);
    }
    return text.length > 0 ? strdup(text_string(&text)) : NULL;
}

void reload_free_changes(struct reload_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(changes[i].work);
    free(changes);
}

int reload_find_changes(struct units *units, const struct config *after,
                        const struct strings *steady, struct reload_change **ret_changes,
                        size_t *ret_count)
{
    const struct config *before = units->config;
    struct reload_change *changes;
    size_t count = 0;

    find_new_processes(units, after);
    changes = calloc(before->module_count + after->module_count + 1, sizeof(*changes));
    if (!changes)
        return -ENOMEM;
    for (size_t i = 0; i < after->module_count; i++)
        changes[count++] = find_change(units, after->modules[i], steady);
    while (spread_restarts(units, after, changes))
        ;
    while (spread_starts(units, after, changes))
        ;
    while (spread_obstacles(units, after, changes))
        ;
    for (size_t i = 0; i < before->module_count; i++)
        if (!config_find(after, before->modules[i]->name))
            changes[count++] =
                (struct reload_change){.module = before->modules[i]->name, .step = RELOAD_REMOVE};
    for (size_t i = 0; i < count; i++)
        if (changes[i].step != RELOAD_KEEP && changes[i].step != RELOAD_ADD)
            changes[i].work = find_work(units, changes[i].module);
    *ret_changes = changes;
    *ret_count = count;
    return 0;
}
