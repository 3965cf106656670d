/* SPDX-License-Identifier: MIT */
/* The supervisor's record: how it is made and goes, and what can be asked of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/watchdog.h"
#include "daemon/control/zone_watch.h"
#include "daemon/loop/loop.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/host.h"
#include "daemon/process/host_stops.h"
#include "daemon/process/orphan.h"
#include "daemon/unit/check.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/symbols.h"
#include "daemon/unit/unit.h"

static void init_lists(struct supervisor *supervisor)
{
    list_init(&supervisor->units);
    for (size_t i = 0; i < NAME_BUCKETS; i++) {
        list_init(&supervisor->names[i]);
        list_init(&supervisor->tenancy_names[i]);
    }
    list_init(&supervisor->tenancies);
    list_init(&supervisor->awaited_list);
    list_init(&supervisor->waiters);
    list_init(&supervisor->next_waiters);
    requests_init(&supervisor->requests);
    operations_init(&supervisor->operations);
    plans_init(&supervisor->plans);
}

/* Returns 0 or a negative errno. */
static int create_parts(struct supervisor *supervisor, const struct supervisor_options *options)
{
    struct loop *loop = supervisor->loop;
    int r = loop_timer_create(loop, supervisor_reconcile, supervisor, &supervisor->reconcile_timer);

    if (r == 0)
        r = loop_timer_create(loop, supervisor_stop_timer, supervisor, &supervisor->stop_timer);
    if (r == 0)
        r = loop_timer_create(loop, reload_go_on, supervisor, &supervisor->reload_timer);
    if (r == 0)
        r = pace_init(&supervisor->pace, loop, supervisor_hosts_changed, supervisor);
    if (r == 0)
        r = spawner_create(loop, &supervisor->spawner);
    if (r == 0)
        r = host_stops_create(loop, supervisor_hosts_changed, supervisor, &supervisor->host_stops);
    if (r == 0)
        r = watchdog_create(supervisor, &supervisor->watchdog);
    if (r == 0)
        r = zone_watch_create(supervisor, &supervisor->zone_watch);
    if (r == 0)
        r = last_runs_create(loop, options->places.state, &supervisor->last_runs);
    if (r == 0)
        r = symbols_create(supervisor, &supervisor->symbols);
    if (r == 0)
        r = orphan_start(loop, options->successor);
    if (r == 0)
        r = cgroups_start(loop, options->successor);
    return r;
}

int supervisor_create(struct loop *loop, const struct supervisor_options *options,
                      struct config *config, struct supervisor **ret_supervisor)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    int r;

    if (!supervisor) {
        config_free(config);
        return -ENOMEM;
    }
    *supervisor = (struct supervisor){
        .loop = loop,
        .config_path = options->config_path,
        .host_program = options->host_program,
        .places = options->places,
        .observer = options->observer,
        .arg = options->arg,
        .config = config,
    };
    init_lists(supervisor);
    r = create_parts(supervisor, options);
    for (size_t i = 0; r == 0 && i < config->module_count; i++) {
        struct unit *unit;

        r = unit_create(supervisor, config, config->modules[i], &unit);
    }
    dependencies_link(supervisor);
    if (r < 0) {
        supervisor_destroy(supervisor);
        return r;
    }
    *ret_supervisor = supervisor;
    return 0;
}

void supervisor_answer_all(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    requests_finish(&supervisor->requests);
    operations_finish(&supervisor->operations);
    plans_finish(&supervisor->plans);
    reload_finish(supervisor);
}

static bool is_configured(const char *module, void *arg)
{
    return config_find(arg, module);
}

void supervisor_forget_strangers(struct supervisor *supervisor)
{
    last_runs_forget(supervisor->last_runs, is_configured, supervisor->config);
}

void supervisor_flush(struct supervisor *supervisor, void (*done)(void *arg), void *arg)
{
    last_runs_flush(supervisor->last_runs, done, arg);
}

void supervisor_give_up_flush(struct supervisor *supervisor)
{
    last_runs_abandon(TAKE_PTR(supervisor->last_runs));
}

const char *supervisor_last_runs_path(const struct supervisor *supervisor)
{
    return last_runs_path(supervisor->last_runs);
}

void supervisor_destroy(struct supervisor *supervisor)
{
    struct unit *unit, *next;

    if (!supervisor)
        return;
    supervisor_answer_all(supervisor);
    LIST_FOREACH_SAFE (unit, next, &supervisor->units, list)
        unit_destroy(unit);
    symbols_destroy(supervisor->symbols);
    spawner_finish(supervisor->spawner);
    orphan_stop();
    cgroups_stop();
    watchdog_destroy(supervisor->watchdog);
    zone_watch_destroy(supervisor->zone_watch);
    host_stops_destroy(supervisor->host_stops);
    last_runs_destroy(supervisor->last_runs);
    spawner_destroy(supervisor->spawner);
    pace_finish(&supervisor->pace);
    loop_timer_destroy(supervisor->reconcile_timer);
    loop_timer_destroy(supervisor->stop_timer);
    loop_timer_destroy(supervisor->reload_timer);
    config_errors_free(&supervisor->check_errors);
    strings_free(&supervisor->reload_notes);
    strings_free(&supervisor->steady);
    config_free(supervisor->config);
    free(supervisor);
}

enum phase supervisor_phase(const struct supervisor *supervisor)
{
    return supervisor->phase;
}

const struct cause *supervisor_cause(const struct supervisor *supervisor)
{
    return &supervisor->cause;
}

int supervisor_exit_code(const struct supervisor *supervisor)
{
    return supervisor->exit_code;
}

const struct config *supervisor_config(const struct supervisor *supervisor)
{
    return supervisor->config;
}

struct requests *supervisor_requests(struct supervisor *supervisor)
{
    return &supervisor->requests;
}

struct list *supervisor_name_bucket(struct supervisor *supervisor, const char *name)
{
    return &supervisor->names[hash_text(name) % NAME_BUCKETS];
}

struct unit *supervisor_find(struct supervisor *supervisor, const char *name)
{
    struct unit *unit;

    LIST_FOREACH (unit, supervisor_name_bucket(supervisor, name), name_list)
        if (!unit->removed && strcmp(unit->name, name) == 0)
            return unit;
    return NULL;
}

struct unit *supervisor_find_leaving(struct supervisor *supervisor, const char *name)
{
    struct unit *unit;

    if (supervisor->leaving == 0)
        return NULL;
    LIST_FOREACH (unit, supervisor_name_bucket(supervisor, name), name_list)
        if (unit->removed && !unit_is_down(unit) && strcmp(unit->name, name) == 0)
            return unit;
    return NULL;
}

struct unit *supervisor_find_any(struct supervisor *supervisor, const char *name)
{
    struct unit *unit = supervisor_find(supervisor, name);

    return unit ? unit : supervisor_find_leaving(supervisor, name);
}

void supervisor_option_error(struct unit *unit, const struct wire_message *message)
{
    struct config_errors *errors = &unit->supervisor->check_errors;

    check_add_option_error(errors, unit->settings, message);
    /* Past the first check there is nobody to collect for. */
    if (unit->state != UNIT_CHECKING && errors->texts.count > 0)
        log_error("%s", errors->texts.items[errors->texts.count - 1]);
}
