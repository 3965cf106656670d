/* SPDX-License-Identifier: MIT */
/*
 * First every unit has its new settings, and so the whole new order among them is known; then the
 * goals are set, and goals_reconcile() goes through them in that order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_write.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/control/goal.h"
#include "daemon/control/reload.h"
#include "daemon/control/reload_changes.h"
#include "daemon/process/host_stops.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "settings/compare.h"
#include "settings/config.h"
#include "settings/errors.h"

static const char moves[] = "reload: it moves to another host";

static struct cause make_cause(const char *why)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};

    string_copy(cause.text, sizeof(cause.text), why);
    return cause;
}

/* Settings ---------------------------------------------------------------- */

/* A module that moves to another host must leave its old one first; a new unit takes its name. */
static void replace_unit(struct reload *reload, struct unit *old,
                         const struct config_module *module)
{
    struct unit *unit;

    if (tenancy_add_unit(reload->units, reload->config, module, &unit) < 0) {
        config_error(&reload->errors, module->file, module->line,
                     "[module:%s] not %s: out of memory", module->name, old ? "moved" : "added");
        return;
    }
    if (!old)
        return;
    units_leave(old);
    unit->held = old->held;
    unit->was_down = old->was_down;
    unit->was_ready = old->was_ready;
    if (old->starts > 0)
        restart_note(&unit->next_restart, CAUSE_RELOAD, moves, NULL);
}

static void set_settings(struct reload *reload, const struct config_module *module)
{
    struct unit *unit = units_find(reload->units, module->name);

    if (!unit || strcmp(unit->settings->host, module->host) != 0)
        replace_unit(reload, unit, module);
    else if (unit_set_settings(unit, reload->config, module) < 0)
        config_error(&reload->errors, module->file, module->line,
                     "[module:%s] keeps its old settings: out of memory", module->name);
}

static void set_all_settings(struct reload *reload)
{
    struct config *config = reload->config;
    struct tenancy *tenancy;
    struct unit *unit;

    LIST_FOREACH (unit, &reload->units->list, list)
        if (!config_find(config, unit->name))
            units_leave(unit);
    for (size_t i = 0; i < config->module_count; i++)
        set_settings(reload, config->modules[i]);
    dependencies_link(reload->units);
    LIST_FOREACH (tenancy, &reload->units->tenancies, list)
        tenancy_set_grace(tenancy);
    host_stops_resume(reload->units->host_stops);
}

/* Goals ------------------------------------------------------------------- */

static void go(struct reload *reload, struct unit *unit)
{
    bool stays = config_find(reload->config, unit->name);
    struct cause cause = make_cause(stays ? moves : "reload: it is no longer configured");

    if (!stays)
        log_info("[%s] new settings: remove", unit->name);
    awaited_add(reload->units, reload->awaited, unit, AWAITED_DOWN, "a reload");
    unit->give_up = false;
    goal_fall(unit, &cause, reload->awaited);
}

static void start(struct reload *reload, struct unit *unit, enum unit_event event, const char *why)
{
    struct cause cause = make_cause(why);
    struct unit_input input = {.cause = &cause};

    awaited_add(reload->units, reload->awaited, unit, AWAITED_UP, "a reload");
    unit_handle(unit, event, unit->starts > 0 ? &input : NULL);
}

/* A module that it requires is new. */
static bool is_new(const struct reload_change *change)
{
    return change->because && strcmp(change->because_state, reload_step_name(RELOAD_ADD)) == 0;
}

/* A module that it requires restarts, and takes it along. */
static bool is_taken_along(const struct reload_change *change)
{
    return change->because && strcmp(change->because_state, reload_step_name(RELOAD_RESTART)) == 0;
}

/* Behind "which is". */
static const char *describe_because(const struct reload_change *change)
{
    if (is_new(change))
        return "new";
    if (is_taken_along(change))
        return "about to start";
    return strcmp(change->because_state, unit_state_name(UNIT_BACKOFF)) == 0
               ? unit_state_words(UNIT_BACKOFF)
               : change->because_state;
}

static void restart(struct reload *reload, struct unit *unit, const struct reload_change *change)
{
    bool new_process = change->new_process;
    const char *why = new_process
                          ? "reload: its .so, its limits or its sandbox changed, or it shares a "
                            "process with one whose did"
                          : "reload: it takes new options only by a restart";
    struct cause cause = make_cause(why);

    if (change->because && !new_process)
        snprintf(cause.text, sizeof(cause.text), "reload: it requires module %s, which is %s",
                 change->because, describe_because(change));
    if (!unit_is_running(unit) && !unit->attached) {
        start(reload, unit, UNIT_EVENT_START, why);
        return;
    }
    unit->wanted = true;
    awaited_add(reload->units, reload->awaited, unit, AWAITED_UP, "a reload");
    goal_bounce(unit, &cause, reload->awaited);
    if (new_process && unit->attached)
        goal_condemn(unit->tenancy, &cause, reload->awaited);
}

static void set_goal(struct reload *reload, const struct reload_change *change)
{
    struct unit *unit = units_find(reload->units, change->module);
    struct cause cause = make_cause("reload: its settings changed");

    if (!unit || change->step == RELOAD_KEEP || change->step == RELOAD_REMOVE)
        return;
    log_info("[%s] new settings: %s%s%s", unit->name, reload_step_name(change->step),
             change->work && change->step == RELOAD_RESTART ? "; it stops " : "",
             change->work && change->step == RELOAD_RESTART ? change->work : "");
    if (change->step != RELOAD_ADD)
        goal_renew(unit, &cause);
    /* The person who stopped it will start it, with the new settings. */
    if (unit->held)
        return;
    if (change->step == RELOAD_ADD)
        start(reload, unit, UNIT_EVENT_START, "reload: it is new");
    else if (change->step == RELOAD_RESTART && !is_taken_along(change))
        restart(reload, unit, change);
}

/* It stops for that, is about to, or starts again. */
static bool restarts_for_reload(const struct unit *unit)
{
    if (unit->state == UNIT_STARTING)
        return unit->last_restart.kind == CAUSE_RELOAD &&
               unit->last_restart.at == unit->state_since;
    return unit->cause.kind == CAUSE_RELOAD &&
           (unit->goal == GOAL_BOUNCE || (unit->state == UNIT_STOPPING && unit->wanted));
}

/* A unit that waits for another starts by itself after that, and everybody who waits for the reload
 * is told of it, too. */
static void keep(struct reload *reload, const struct reload_change *change)
{
    struct unit *unit = units_find(reload->units, change->module);

    if (!unit || change->step != RELOAD_KEEP)
        return;
    unit_shorten_backoff(unit);
    unit_renew_start(unit);
    /* This reload waits, too, for a module that an earlier one restarts or gives its options to. */
    if (change->because || unit->reloading || restarts_for_reload(unit))
        awaited_add(reload->units, reload->awaited, unit, AWAITED_UP, "a reload");
}

/* With what it requires, unless that does not run, and so takes nobody along. */
static void take_along(struct reload *reload, const struct reload_change *change)
{
    struct unit *unit = units_find(reload->units, change->module);

    if (!unit || unit->held || change->step != RELOAD_RESTART || !is_taken_along(change))
        return;
    if (unit->goal == GOAL_NONE)
        restart(reload, unit, change);
    else
        awaited_add(reload->units, reload->awaited, unit, AWAITED_UP, "a reload");
}

/* The others have their goals by now: who restarts anyway has no need of a reload, but its restart
 * is waited for. */
static void give_options(struct reload *reload, const struct reload_change *change)
{
    struct unit *unit = units_find(reload->units, change->module);

    if (!unit || change->step != RELOAD_OPTIONS || unit->held)
        return;
    if (unit->goal == GOAL_NONE || !unit_is_running(unit))
        start(reload, unit, UNIT_EVENT_RELOAD, "reload: its options changed");
    else
        awaited_add(reload->units, reload->awaited, unit, AWAITED_UP, "a reload");
}

int reload_apply(struct reload *reload)
{
    struct config *config = reload->config;
    struct reload_change *changes;
    struct unit *unit;
    size_t count;

    if (awaited_begin(reload->units, "a reload", &reload->awaited) < 0)
        return -ENOMEM;
    if (reload_find_changes(reload->units, config, &reload->steady, &changes, &count) < 0) {
        awaited_end(TAKE_PTR(reload->awaited));
        return -ENOMEM;
    }
    set_all_settings(reload);
    LIST_FOREACH (unit, &reload->units->list, list)
        if (unit->removed)
            go(reload, unit);
    for (size_t i = 0; i < count; i++)
        set_goal(reload, &changes[i]);
    for (size_t i = 0; i < count; i++)
        take_along(reload, &changes[i]);
    for (size_t i = 0; i < count; i++)
        give_options(reload, &changes[i]);
    for (size_t i = 0; i < count; i++)
        keep(reload, &changes[i]);
    reload_free_changes(changes, count);
    awaited_depart(reload->awaited);
    config_keep_fixed(config, reload->units->config);
    config_free(reload->units->config);
    reload->units->config = config_ref(config);
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    return 0;
}
