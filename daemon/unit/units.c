/* SPDX-License-Identifier: MIT */
#include "daemon/unit/units.h"

#include <string.h>

#include "base/hash.h"
#include "daemon/unit/last_runs.h"

const char *phase_name(enum phase phase)
{
    static const char *const names[] = {
        [PHASE_CHECKING] = "checking", [PHASE_STARTING] = "starting", [PHASE_RUNNING] = "running",
        [PHASE_DRAINING] = "draining", [PHASE_STOPPING] = "stopping", [PHASE_STOPPED] = "stopped",
    };

    return names[phase];
}

void units_init(struct units *units)
{
    list_init(&units->list);
    for (size_t i = 0; i < NAME_BUCKETS; i++) {
        list_init(&units->names[i]);
        list_init(&units->tenancy_names[i]);
    }
    list_init(&units->tenancies);
    list_init(&units->awaited);
}

void units_changed(struct units *units)
{
    units->owner->changed(units->arg);
}

void units_add(struct units *units, struct unit *unit)
{
    unit->all = units;
    list_append(&units->list, &unit->list);
    list_append(units_name_bucket(units, unit->name), &unit->name_list);
}

void units_remove(struct unit *unit)
{
    if (!unit->all)
        return;
    unit->all->leaving -= unit->removed;
    unit->all->generation++;
    list_remove(&unit->name_list);
    list_remove(&unit->list);
    unit->all = NULL;
}

void units_leave(struct unit *unit)
{
    unit->all->leaving += !unit->removed;
    unit->removed = true;
}

struct list *units_name_bucket(struct units *units, const char *name)
{
    return &units->names[hash_text(name) % NAME_BUCKETS];
}

struct unit *units_find(struct units *units, const char *name)
{
    struct unit *unit;

    LIST_FOREACH (unit, units_name_bucket(units, name), name_list)
        if (!unit->removed && strcmp(unit->name, name) == 0)
            return unit;
    return NULL;
}

struct unit *units_find_leaving(struct units *units, const char *name)
{
    struct unit *unit;

    if (units->leaving == 0)
        return NULL;
    LIST_FOREACH (unit, units_name_bucket(units, name), name_list)
        if (unit->removed && !unit_is_down(unit) && strcmp(unit->name, name) == 0)
            return unit;
    return NULL;
}

static bool is_configured(const char *module, void *arg)
{
    return config_find(arg, module);
}

void units_forget_strangers(struct units *units)
{
    last_runs_forget(units->last_runs, is_configured, units->config);
}
