/* SPDX-License-Identifier: MIT */
/* The supervisor's record: how it is made and goes, and what can be asked of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/control/awaited.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/watchdog.h"
#include "daemon/control/zone_watch.h"
#include "daemon/loop/loop.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/host.h"
#include "daemon/process/host_stops.h"
#include "daemon/process/orphan.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/host_reports.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/symbols.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/units.h"
#include "settings/config.h"
#include "settings/errors.h"

static void init_parts(struct supervisor *supervisor)
{
    units_init(&supervisor->units);
    requests_init(&supervisor->requests);
    operations_init(&supervisor->operations, &supervisor->units);
    plans_init(&supervisor->plans, &supervisor->units);
    reload_init(&supervisor->reload, &supervisor->units, supervisor_reload_told, supervisor);
}

/* Returns 0 or a negative errno. */
static int create_parts(struct supervisor *supervisor, const struct supervisor_options *options)
{
    struct loop *loop = supervisor->units.loop;
    int r = loop_timer_create(loop, supervisor_reconcile, supervisor, &supervisor->reconcile_timer);

    if (r == 0)
        r = loop_timer_create(loop, supervisor_stop_timer, supervisor, &supervisor->stop_timer);
    if (r == 0)
        r = sequence_init(&supervisor->sequence, &supervisor->units, supervisor_hosts_changed,
                          supervisor);
    if (r == 0)
        r = spawner_create(loop, &supervisor->units.spawner);
    if (r == 0)
        r = host_stops_create(loop, supervisor_hosts_changed, supervisor,
                              &supervisor->units.host_stops);
    if (r == 0)
        r = watchdog_create(&supervisor->units, &supervisor->watchdog);
    if (r == 0)
        r = zone_watch_create(&supervisor->units, &supervisor->zone_watch);
    if (r == 0)
        r = reload_prepare(&supervisor->reload, supervisor->zone_watch);
    if (r == 0)
        r = last_runs_create(loop, options->places.state, &supervisor->units.last_runs);
    if (r == 0)
        r = symbols_create(&supervisor->units, &supervisor->units.symbols);
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
    supervisor->observer = options->observer;
    supervisor->arg = options->arg;
    supervisor->units.loop = loop;
    supervisor->units.config_path = options->config_path;
    supervisor->units.host_program = options->host_program;
    supervisor->units.places = options->places;
    supervisor->units.requests = &supervisor->requests;
    supervisor->units.host_events = &host_reports;
    supervisor->units.owner = &supervisor_owner;
    supervisor->units.arg = supervisor;
    supervisor->units.config = config;
    init_parts(supervisor);
    r = create_parts(supervisor, options);
    for (size_t i = 0; r == 0 && i < config->module_count; i++) {
        struct unit *unit;

        r = tenancy_add_unit(&supervisor->units, config, config->modules[i], &unit);
    }
    dependencies_link(&supervisor->units);
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
    reload_finish(&supervisor->reload);
}

void supervisor_flush(struct supervisor *supervisor, void (*done)(void *arg), void *arg)
{
    last_runs_flush(supervisor->units.last_runs, done, arg);
}

void supervisor_give_up_flush(struct supervisor *supervisor)
{
    last_runs_abandon(TAKE_PTR(supervisor->units.last_runs));
}

const char *supervisor_last_runs_path(const struct supervisor *supervisor)
{
    return last_runs_path(supervisor->units.last_runs);
}

void supervisor_remove_unit(struct supervisor *supervisor, struct unit *unit)
{
    awaited_forget(unit);
    sequence_forget(&supervisor->sequence, unit);
    tenancy_remove_unit(unit);
}

void supervisor_destroy(struct supervisor *supervisor)
{
    struct unit *unit, *next;

    if (!supervisor)
        return;
    supervisor_answer_all(supervisor);
    LIST_FOREACH_SAFE (unit, next, &supervisor->units.list, list)
        supervisor_remove_unit(supervisor, unit);
    symbols_destroy(supervisor->units.symbols);
    spawner_finish(supervisor->units.spawner);
    orphan_stop();
    cgroups_stop();
    watchdog_destroy(supervisor->watchdog);
    zone_watch_destroy(supervisor->zone_watch);
    host_stops_destroy(supervisor->units.host_stops);
    last_runs_destroy(supervisor->units.last_runs);
    spawner_destroy(supervisor->units.spawner);
    sequence_finish(&supervisor->sequence);
    loop_timer_destroy(supervisor->reconcile_timer);
    loop_timer_destroy(supervisor->stop_timer);
    reload_free(&supervisor->reload);
    config_errors_free(&supervisor->units.check_errors);
    config_free(supervisor->units.config);
    free(supervisor);
}

enum phase supervisor_phase(const struct supervisor *supervisor)
{
    return supervisor->units.phase;
}

int supervisor_exit_code(const struct supervisor *supervisor)
{
    return supervisor->exit_code;
}

const struct config *supervisor_config(const struct supervisor *supervisor)
{
    return supervisor->units.config;
}

struct requests *supervisor_requests(struct supervisor *supervisor)
{
    return &supervisor->requests;
}

struct operations *supervisor_operations(struct supervisor *supervisor)
{
    return &supervisor->operations;
}

struct plans *supervisor_plans(struct supervisor *supervisor)
{
    return &supervisor->plans;
}

void supervisor_reload(struct supervisor *supervisor, reload_fn done, void *arg)
{
    reload_ask(&supervisor->reload, done, arg);
}

struct unit *supervisor_find(struct supervisor *supervisor, const char *name)
{
    return units_find(&supervisor->units, name);
}

struct unit *supervisor_find_leaving(struct supervisor *supervisor, const char *name)
{
    return units_find_leaving(&supervisor->units, name);
}

struct unit *supervisor_find_any(struct supervisor *supervisor, const char *name)
{
    struct unit *unit = units_find(&supervisor->units, name);

    return unit ? unit : units_find_leaving(&supervisor->units, name);
}
