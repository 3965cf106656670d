/* SPDX-License-Identifier: MIT */
#include "daemon/control/supervisor_serialize.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon/control/rolling_replacement.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/watchdog.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/process/host_serialize.h"
#include "daemon/process/host_stops.h"
#include "daemon/process/inherited_children.h"
#include "daemon/process/orphan.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/loaded.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/unit_serialize.h"

#define OWN(kind, member) SERIALIZE_MEMBER(kind, struct supervisor, member, #member)

static const struct serialize_field fields[] = {
    OWN(SERIALIZE_INT, exit_code),
    OWN(SERIALIZE_INT, started_at),
    OWN(SERIALIZE_UINT, upgrades),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct supervisor, requests.next_id, "next_request"),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct supervisor, reload.counts.ended, "reloads"),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct supervisor, reload.counts.failed, "reloads_failed"),
    SERIALIZE_MEMBER(SERIALIZE_BOOL, struct supervisor, reload.counts.last_failed,
                     "reload_failed_last"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct supervisor, reload.counts.last_error,
                     "reload_error_last"),
    SERIALIZE_END,
};

uint64_t supervisor_upgrades(const struct supervisor *supervisor)
{
    return supervisor->upgrades;
}

uint64_t supervisor_reloads(const struct supervisor *supervisor)
{
    return supervisor->reload.counts.ended;
}

unsigned supervisor_living_hosts(const struct supervisor *supervisor)
{
    const struct tenancy *tenancy;
    unsigned count = 0;

    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
        count += host_state(tenancy->host) == HOST_UP;
    return count;
}

void supervisor_set_quiet(struct supervisor *supervisor, bool quiet)
{
    struct unit *unit;

    supervisor->units.quiet = quiet;
    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (!quiet && unit->state == UNIT_BACKOFF && loop_timer_due(unit->timer) == 0)
            loop_timer_arm(unit->timer, 0);
}

/* Saving ------------------------------------------------------------------ */

static bool units_are_settled(const struct supervisor *supervisor, char *ret_what, size_t size)
{
    const struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units.list, list) {
        const char *what = NULL;

        if (unit->reloading)
            what = "reloading";
        else if (unit->removed)
            what = "being removed";
        else if (unit->goal != GOAL_NONE || (unit_is_running(unit) && dependencies_missing(unit)))
            what = "about to be stopped";
        else if (unit_is_moving(unit) && unit->state != UNIT_WAITING)
            what = unit_state_words(unit->state);
        if (what) {
            snprintf(ret_what, size, "module %s is %s", unit->name, what);
            return false;
        }
    }
    return true;
}

bool supervisor_is_settled(const struct supervisor *supervisor, char *ret_what, size_t size)
{
    const struct tenancy *tenancy;
    unsigned hosts = 0;

    if (supervisor->units.phase != PHASE_RUNNING)
        snprintf(ret_what, size, "reeved is %s", phase_name(supervisor->units.phase));
    else if (supervisor->reload.under_way || supervisor->reload.again)
        snprintf(ret_what, size, "a reload is under way");
    else if (tenancies_foreign(&supervisor->units) > 0)
        snprintf(ret_what, size, "hosts are being replaced after an upgrade");
    else if (last_runs_is_writing(supervisor->units.last_runs))
        snprintf(ret_what, size, "the times of last runs are being written to the disk");
    else if (!spawner_is_idle(supervisor->units.spawner))
        snprintf(ret_what, size, "a host is being started");
    else if (units_are_settled(supervisor, ret_what, size)) {
        LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
            hosts++;
        return hosts_are_settled(hosts, ret_what, size);
    }
    return false;
}

static json_t *save_units(struct supervisor *supervisor, bool fold)
{
    json_t *list = json_array();
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (json_array_append_new(list, unit_save(unit, fold)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *save_hosts(struct supervisor *supervisor)
{
    json_t *list = json_array();
    const struct tenancy *tenancy;

    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list) {
        const struct unit *unit = list_entry(tenancy->units.next, struct unit, tenancy_list);

        json_t *host = host_save(tenancy->host, &unit->settings->limits);

        if (!host || json_object_set_new(host, "loaded", loaded_save(&tenancy->loaded)) < 0 ||
            json_array_append(list, host) < 0) {
            json_decref(host);
            json_decref(list);
            return NULL;
        }
        json_decref(host);
    }
    return list;
}

json_t *supervisor_save(struct supervisor *supervisor, uint32_t scoreboard)
{
    json_t *json = serialize(fields, supervisor);

    /* A host of another version is ended by a successor that cannot read its scoreboard. */
    watchdog_note_schedules(supervisor->watchdog);
    if (!json || json_object_set_new(json, "wire", json_integer(wire_version)) < 0 ||
        json_object_set_new(json, "scoreboard", json_integer(scoreboard_version)) < 0 ||
        json_object_set_new(json, "units",
                            save_units(supervisor, scoreboard != scoreboard_version)) < 0 ||
        json_object_set_new(json, "hosts", save_hosts(supervisor)) < 0 ||
        json_object_set_new(json, "inherited", inherited_save()) < 0 ||
        json_object_set_new(json, "last_runs", last_runs_save(supervisor->units.last_runs)) < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Reading ----------------------------------------------------------------- */

static const json_t *find_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *other = json_string_value(json_object_get(item, "name"));

        if (other && strcmp(other, name) == 0)
            return item;
    }
    return NULL;
}

/* Each host that is up needs a module that lives in it, and each attached one a host that is up. */
static int check_tenants(const json_t *units, const json_t *hosts, const struct config *config,
                         struct serialize_error *error)
{
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i);
        const char *name = json_string_value(json_object_get(host, "name"));
        bool used = !json_is_true(json_object_get(host, "up"));

        for (size_t j = 0; j < config->module_count && !used && name; j++)
            used = strcmp(config->modules[j]->host, name) == 0 &&
                   json_is_true(
                       json_object_get(find_named(units, config->modules[j]->name), "attached"));
        if (!used) {
            snprintf(error->text, sizeof(error->text), "nobody lives in the host \"%s\"",
                     name ? name : "");
            return -EBADMSG;
        }
    }
    return 0;
}

int supervisor_check_state(const json_t *state, const struct config *config,
                           struct serialize_error *error)
{
    const json_t *units = json_object_get(state, "units"), *hosts = json_object_get(state, "hosts");
    struct supervisor *scratch = calloc(1, sizeof(*scratch));
    int r = scratch ? deserialize(state, fields, scratch, error) : -ENOMEM;

    free(scratch);
    for (size_t i = 0; i < config->module_count && r == 0; i++) {
        const json_t *unit = find_named(units, config->modules[i]->name);

        if (unit)
            r = unit_check_state(unit, config->modules[i], error);
    }
    for (size_t i = 0; i < json_array_size(hosts) && r == 0; i++) {
        r = host_check_state(json_array_get(hosts, i), error);
        if (r == 0)
            r = loaded_load(NULL, json_object_get(json_array_get(hosts, i), "loaded"), error);
    }
    if (r == 0)
        r = check_tenants(units, hosts, config, error);
    if (r == 0)
        r = last_runs_load(NULL, json_object_get(state, "last_runs"), error);
    return r;
}

/* Restoring --------------------------------------------------------------- */

static int restore_hosts(struct supervisor *supervisor, const json_t *state,
                         struct serialize_error *error)
{
    const json_t *hosts = json_object_get(state, "hosts");
    bool foreign = json_integer_value(json_object_get(state, "wire")) != (json_int_t)wire_version ||
                   json_integer_value(json_object_get(state, "scoreboard")) != scoreboard_version;
    struct tenancy *tenancy;
    int r = 0;

    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list) {
        const json_t *host = find_named(hosts, host_name(tenancy->host));

        tenancy_set_limits(list_entry(tenancy->units.next, struct unit, tenancy_list));
        if (host && r == 0)
            r = host_adopt(tenancy->host, host, foreign, error);
        if (host && r == 0)
            r = loaded_load(&tenancy->loaded, json_object_get(host, "loaded"), error);
    }
    return r;
}

/* A reeved of before did not say. */
static void close_unknown(struct supervisor *supervisor, const json_t *state)
{
    const json_t *hosts = json_object_get(state, "hosts");
    struct tenancy *tenancy;

    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list) {
        const json_t *host = find_named(hosts, host_name(tenancy->host));

        if (host && json_is_true(json_object_get(host, "up")) && !json_object_get(host, "loaded"))
            tenancy->loaded.closed = true;
    }
}

static int restore_units(struct supervisor *supervisor, const json_t *state,
                         struct serialize_error *error)
{
    const json_t *units = json_object_get(state, "units");
    struct unit *unit;
    int r;

    LIST_FOREACH (unit, &supervisor->units.list, list) {
        const json_t *item = find_named(units, unit->name);

        if (!item) {
            unit_handle(unit, UNIT_EVENT_START, NULL);
            continue;
        }
        r = unit_restore(unit, item, error);
        if (r == 0 && unit->attached)
            r = tenancy_restore_slot(unit, error);
        if (r < 0)
            return r;
    }
    return 0;
}

int supervisor_restore(struct loop *loop, const struct supervisor_options *options,
                       struct config *config, const json_t *state,
                       struct supervisor **ret_supervisor, struct serialize_error *error)
{
    struct supervisor_options successor = *options;
    struct supervisor *supervisor;
    int r;

    successor.successor = true;
    r = supervisor_create(loop, &successor, config, &supervisor);
    if (r < 0) {
        snprintf(error->text, sizeof(error->text), "%s", strerror(-r));
        return r;
    }
    supervisor->units.phase = PHASE_RUNNING;
    r = deserialize(state, fields, supervisor, error);
    supervisor->upgrades++;
    if (r == 0)
        r = restore_hosts(supervisor, state, error);
    if (r == 0)
        r = restore_units(supervisor, state, error);
    if (r == 0)
        close_unknown(supervisor, state);
    if (r == 0)
        r = last_runs_load(supervisor->units.last_runs, json_object_get(state, "last_runs"), error);
    if (r < 0) {
        supervisor_destroy(supervisor);
        return r;
    }
    inherited_load(json_object_get(state, "inherited"));
    /* Orphans that were being reaped when the program changed. */
    orphan_reap();
    orphan_look();
    host_stops_resume(supervisor->units.host_stops);
    rolling_replacement_begin(&supervisor->units);
    units_changed(&supervisor->units);
    *ret_supervisor = supervisor;
    return 0;
}
