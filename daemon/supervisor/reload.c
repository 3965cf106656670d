/* SPDX-License-Identifier: MIT */
/*
 * A reload: read everything, let the modules check what is new to them, and only then touch what
 * changed. Until the last check is good the old configuration is in force; after it the new one is,
 * whatever becomes of single modules.
 */
#include "daemon/supervisor/reload.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/supervisor/check.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/tenancy.h"
#include "daemon/supervisor/unit.h"

const char *reload_step_name(enum reload_step step)
{
    static const char *const step_names[] = {"keep", "reload", "restart", "add", "remove"};

    return step_names[step];
}

/* Code that was loaded stays loaded: another .so for one tenant takes a new process for all. */
static bool host_restarts(const struct config *before, const struct config *after, const char *host)
{
    for (size_t i = 0; i < after->module_count; i++) {
        const struct config_module *module = after->modules[i];
        const struct config_module *old = config_find(before, module->name);

        /* A host can read the folders of those that it was started with, and no others. */
        if ((!old || strcmp(old->host, host) != 0) && strcmp(module->host, host) == 0 &&
            module->limits.read_only.count > 0)
            return true;
        if (old && strcmp(module->host, host) == 0 && strcmp(old->host, host) == 0 &&
            config_compare(old, module) == CONFIG_RESTART)
            return true;
    }
    return false;
}

enum reload_step reload_plan(const struct config *before, const struct config *after,
                             const char *name)
{
    const struct config_module *old = config_find(before, name);
    const struct config_module *new = config_find(after, name);
    enum config_change change;

    if (!old)
        return RELOAD_ADD;
    if (!new)
        return RELOAD_REMOVE;
    change = config_compare(old, new);
    if (change == CONFIG_RESTART || host_restarts(before, after, new->host))
        return RELOAD_RESTART;
    return change == CONFIG_RELOAD ? RELOAD_OPTIONS : RELOAD_KEEP;
}

bool reload_changes_fixed(const struct config *before, const struct config *after)
{
    bool same = before->listen.count == after->listen.count;

    for (size_t i = 0; same && i < before->listen.count; i++)
        same = strcmp(before->listen.items[i], after->listen.items[i]) == 0;
    return !same || strcmp(before->control, after->control) != 0 ||
           before->connections_max != after->connections_max;
}

/* Ending --------------------------------------------------------------------------------------- */

/* Errors are found before anything is touched, or after, by a module that does not get going. */
static bool is_applied(const struct supervisor *supervisor)
{
    return supervisor->new_config && supervisor->new_config == supervisor->config;
}

static void tell_waiters(struct supervisor *supervisor, bool applied)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &supervisor->waiters, list) {
        list_remove(&waiter->list);
        if (waiter->done)
            waiter->done(&supervisor->reload_errors.texts, applied, waiter->arg);
        free(waiter);
    }
}

static void end(struct supervisor *supervisor)
{
    bool applied = is_applied(supervisor);

    for (size_t i = 0; i < supervisor->reload_errors.texts.count; i++)
        log_error("%s", supervisor->reload_errors.texts.items[i]);
    supervisor->reloads.ended++;
    supervisor->reloads.last_failed = config_errors_any(&supervisor->reload_errors);
    supervisor->reloads.failed += supervisor->reloads.last_failed;
    string_copy(supervisor->reloads.last_error, sizeof(supervisor->reloads.last_error),
                supervisor->reload_errors.texts.count > 0 ? supervisor->reload_errors.texts.items[0]
                                                          : "");
    text_sanitise(supervisor->reloads.last_error);
    if (supervisor->reloads.last_failed)
        log_error(applied ? "reload failed: the new configuration is in force, but not all works"
                          : "reload failed: the old configuration stays in force");
    else
        log_notice("reloaded");
    config_free(TAKE_PTR(supervisor->new_config));
    supervisor->reloading = false;
    tell_waiters(supervisor, applied);
    config_errors_free(&supervisor->reload_errors);
    supervisor_notify(supervisor, SUPERVISOR_RELOADED);
    supervisor_changed(supervisor);
}

/* Those that asked during the reload before, or during the first check, wait for the next. */
static void promote_waiters(struct supervisor *supervisor)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &supervisor->next_waiters, list) {
        list_remove(&waiter->list);
        list_append(&supervisor->waiters, &waiter->list);
    }
}

static void finish_if_settled(struct supervisor *supervisor)
{
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (unit->settle_pending && unit_is_moving(unit) && supervisor->phase < PHASE_DRAINING)
            return;
    LIST_FOREACH (unit, &supervisor->units, list) {
        if (unit->settle_pending && (unit->state == UNIT_FAILED || unit->state == UNIT_BACKOFF))
            config_error(&supervisor->reload_errors, unit->settings->file, unit->settings->line,
                         "[module:%s] is %s with the new configuration: %s", unit->name,
                         unit_state_name(unit->state), unit->reason);
        unit->settle_pending = false;
    }
    end(supervisor);
}

void reload_finish(struct supervisor *supervisor)
{
    check_cancel(TAKE_PTR(supervisor->check));
    promote_waiters(supervisor);
    if (!list_is_empty(&supervisor->waiters))
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: reeved stops");
    tell_waiters(supervisor, is_applied(supervisor));
    config_errors_free(&supervisor->reload_errors);
    config_free(TAKE_PTR(supervisor->new_config));
}

/* Applying ------------------------------------------------------------------------------------- */

static void tell_unit(struct unit *unit, enum unit_event event, const char *why)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};
    struct unit_input input = {.cause = &cause};

    string_copy(cause.text, sizeof(cause.text), why);
    unit_handle(unit, event, &input);
}

/* A module that moves to another host must leave its old one first; a new unit takes its name. */
static void apply_remove(struct unit *unit, const char *why)
{
    unit->removed = true;
    unit->settle_pending = true;
    unit->wanted = false;
    tell_unit(unit, UNIT_EVENT_STOP, why);
}

/* why: it ran before; NULL: it is new. */
static void apply_add(struct supervisor *supervisor, const struct config_module *module, bool held,
                      const char *why)
{
    struct unit *unit;

    if (unit_create(supervisor, supervisor->new_config, module, &unit) < 0) {
        config_error(&supervisor->reload_errors, module->file, module->line,
                     "[module:%s] not added: out of memory", module->name);
        return;
    }
    if (why)
        restart_note(&unit->next_restart, CAUSE_RELOAD, why, NULL);
    unit->held = held;
    if (held)
        return;
    unit->settle_pending = true;
    unit_handle(unit, UNIT_EVENT_START, NULL);
}

static void apply_restart(struct unit *unit)
{
    static const char why[] = "reload: its .so, its limits or its sandbox changed";

    /* Whoever stopped it will start it, with the new settings. */
    if (unit->held)
        return;
    unit->settle_pending = true;
    unit->wanted = true;
    if (unit_is_down(unit) || unit->state == UNIT_BACKOFF)
        tell_unit(unit, UNIT_EVENT_START, why);
    else
        tell_unit(unit, UNIT_EVENT_STOP, why);
}

static void apply_one(struct supervisor *supervisor, const struct config_module *module)
{
    static const char moves[] = "reload: it moves to another host";
    struct unit *unit = supervisor_find(supervisor, module->name);
    enum reload_step step = reload_plan(supervisor->config, supervisor->new_config, module->name);

    if (!unit) {
        apply_add(supervisor, module, false, NULL);
        return;
    }
    if (strcmp(unit->settings->host, module->host) != 0) {
        apply_remove(unit, moves);
        apply_add(supervisor, module, unit->held, unit->starts > 0 ? moves : NULL);
        return;
    }
    if (unit_set_settings(unit, supervisor->new_config, module) < 0) {
        config_error(&supervisor->reload_errors, module->file, module->line,
                     "[module:%s] keeps its old settings: out of memory", module->name);
        return;
    }
    if (step != RELOAD_KEEP)
        log_info("[%s] new settings: %s", unit->name, reload_step_name(step));
    if (step == RELOAD_RESTART) {
        apply_restart(unit);
    } else if (step == RELOAD_OPTIONS && !unit->held) {
        unit->settle_pending = true;
        tell_unit(unit, UNIT_EVENT_RELOAD, "reload: its options changed");
    }
}

static void apply(struct supervisor *supervisor)
{
    struct config *config = supervisor->new_config;
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (!unit->removed && !config_find(config, unit->name)) {
            log_info("[%s] new settings: remove", unit->name);
            apply_remove(unit, "reload: it is no longer configured");
        }
    for (size_t i = 0; i < config->module_count; i++)
        apply_one(supervisor, config->modules[i]);
    config_free(supervisor->config);
    supervisor->config = config_ref(config);
    log_set_level(config->log_level);
    log_set_format(config->log_format);
}

/* Beginning ------------------------------------------------------------------------------------ */

static bool needs_check(const struct config_module *module, void *arg)
{
    const struct supervisor *supervisor = arg;
    const struct config_module *old = config_find(supervisor->config, module->name);

    return !old || config_compare(old, module) >= CONFIG_RELOAD;
}

static void checked(void *arg)
{
    struct supervisor *supervisor = arg;

    supervisor->check = NULL;
    if (supervisor->phase >= PHASE_DRAINING)
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: reeved stops");
    if (config_errors_any(&supervisor->reload_errors)) {
        end(supervisor);
        return;
    }
    apply(supervisor);
    supervisor_changed(supervisor);
}

static void begin(struct supervisor *supervisor)
{
    struct check_options options = {
        .loop = supervisor->loop,
        .spawner = supervisor->spawner,
        .host_program = supervisor->host_program,
        .directory = supervisor->places.state,
        .wanted = needs_check,
        .done = checked,
        .arg = supervisor,
    };

    supervisor->reloading = true;
    supervisor_notify(supervisor, SUPERVISOR_RELOADING);
    supervisor->new_config =
        config_load(supervisor->config_path, &supervisor->places, &supervisor->reload_errors);
    if (!supervisor->new_config) {
        end(supervisor);
        return;
    }
    /* Saying so beats ignoring it. */
    if (reload_changes_fixed(supervisor->config, supervisor->new_config))
        log_warning("listen, control and max-connections change only with a restart of reeved");
    if (check_start(&options, supervisor->new_config, &supervisor->reload_errors,
                    &supervisor->check) < 0) {
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: out of memory");
        end(supervisor);
    }
}

static bool may_begin(const struct supervisor *supervisor)
{
    /* A host of another version could not be given new options. */
    return !supervisor->reloading && !supervisor->rolling && supervisor->phase > PHASE_CHECKING &&
           supervisor->phase < PHASE_DRAINING;
}

void reload_settle(struct supervisor *supervisor)
{
    if (supervisor->reloading && !supervisor->check)
        finish_if_settled(supervisor);
    if (supervisor->reload_again && may_begin(supervisor)) {
        supervisor->reload_again = false;
        promote_waiters(supervisor);
        begin(supervisor);
    }
}

static void refuse(const struct supervisor *supervisor, reload_fn done, void *arg)
{
    struct config_errors errors = {0};

    config_error(&errors, supervisor->config_path, 0, "not reloaded: reeved stops");
    if (done)
        done(&errors.texts, false, arg);
    config_errors_free(&errors);
}

void supervisor_reload(struct supervisor *supervisor, reload_fn done, void *arg)
{
    struct reload_waiter *waiter;

    if (supervisor->phase >= PHASE_DRAINING) {
        refuse(supervisor, done, arg);
        return;
    }
    waiter = calloc(1, sizeof(*waiter));
    /* Without memory the reload happens all the same; only nobody hears of its end. */
    if (waiter) {
        *waiter = (struct reload_waiter){.done = done, .arg = arg};
        list_append(&supervisor->next_waiters, &waiter->list);
    }
    supervisor->reload_again = true;
    supervisor_changed(supervisor);
}
