/* SPDX-License-Identifier: MIT */
#include "daemon/unit/tenancy.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/text.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

_Static_assert(CONFIG_TENANTS_MAX == SCOREBOARD_MODULES, "each tenant has a record");

static struct list *find_bucket(struct units *units, const char *name)
{
    return &units->tenancy_names[hash_text(name) % NAME_BUCKETS];
}

struct tenancy *tenancy_find(struct units *units, const char *name)
{
    struct tenancy *tenancy;

    LIST_FOREACH (tenancy, find_bucket(units, name), name_list)
        if (strcmp(host_name(tenancy->host), name) == 0)
            return tenancy;
    return NULL;
}

static struct tenancy *make_tenancy(struct units *units, const struct unit *unit)
{
    struct tenancy *tenancy = calloc(1, sizeof(*tenancy));
    struct host_options options = {
        .name = unit->settings->host,
        .program = units->host_program,
        .directory = units->places.state,
        .grace = unit->settings->grace,
    };

    if (!tenancy)
        return NULL;
    tenancy->all = units;
    list_init(&tenancy->units);
    if (host_create(units->loop, units->spawner, &options, units->host_events, tenancy,
                    &tenancy->host) < 0) {
        free(tenancy);
        return NULL;
    }
    list_append(&units->tenancies, &tenancy->list);
    list_append(find_bucket(units, options.name), &tenancy->name_list);
    return tenancy;
}

struct unit *tenancy_find_slot(const struct tenancy *tenancy, uint32_t slot)
{
    struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (unit->attached && unit->slot == slot)
            return unit;
    return NULL;
}

unsigned tenancies_foreign(const struct units *units)
{
    const struct tenancy *tenancy;
    unsigned count = 0;

    LIST_FOREACH (tenancy, &units->tenancies, list)
        count += host_is_foreign(tenancy->host);
    return count;
}

static int join(struct units *units, struct unit *unit)
{
    struct tenancy *tenancy = tenancy_find(units, unit->settings->host);

    if (!tenancy)
        tenancy = make_tenancy(units, unit);
    if (!tenancy)
        return -ENOMEM;
    list_append(&tenancy->units, &unit->tenancy_list);
    unit->tenancy = tenancy;
    return 0;
}

int tenancy_add_unit(struct units *units, struct config *config,
                     const struct config_module *settings, struct unit **ret_unit)
{
    struct unit *unit;
    int r = unit_create(units->loop, config, settings, &unit);

    if (r < 0)
        return r;
    r = join(units, unit);
    if (r < 0) {
        unit_destroy(unit);
        return r;
    }
    units_add(units, unit);
    *ret_unit = unit;
    return 0;
}

static void leave(struct unit *unit)
{
    struct tenancy *tenancy = unit->tenancy;

    list_remove(&unit->tenancy_list);
    unit->tenancy = NULL;
    if (!list_is_empty(&tenancy->units)) {
        tenancy_set_grace(tenancy);
        return;
    }
    list_remove(&tenancy->list);
    list_remove(&tenancy->name_list);
    host_destroy(tenancy->host);
    loaded_clear(&tenancy->loaded);
    free(tenancy);
}

void tenancy_remove_unit(struct unit *unit)
{
    leave(unit);
    units_remove(unit);
    unit_destroy(unit);
}

/* Where the tenants' .so files are: a host that may read only some paths must read these. */
static int find_folders(const struct tenancy *tenancy, struct strings *ret_folders)
{
    const struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list) {
        const char *path = unit->settings->path, *slash = strrchr(path, '/');
        cleanup_free char *folder = format_new("%.*s/", (int)(slash ? slash - path : 0), path);

        if (!folder || (!strings_have(ret_folders, folder) && strings_add(ret_folders, folder) < 0))
            return -ENOMEM;
    }
    return 0;
}

void tenancy_set_grace(struct tenancy *tenancy)
{
    const struct unit *unit;
    int64_t longest = 0;

    /* A unit that leaves has its own as long as it is there. */
    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        longest = MAX(longest, unit->settings->grace);
    host_set_grace(tenancy->host, longest);
}

/* Tenants have the same limits, so any one's will do; but during a reload some may be about to
 * leave. */
void tenancy_set_limits(const struct unit *unit)
{
    struct host *host = unit->tenancy->host;
    cleanup_strings struct strings folders = {0};

    tenancy_set_grace(unit->tenancy);
    /* A directory that is missing for want of memory is one that cannot be read, which is told. */
    (void)find_folders(unit->tenancy, &folders);
    host_set_limits(host, &unit->settings->limits, &folders);
}

/* A new incarnation. */
static void start_host(struct unit *unit)
{
    loaded_clear(&unit->tenancy->loaded);
    unit->tenancy->condemned = false;
    tenancy_set_limits(unit);
    host_start(unit->tenancy->host);
}

/* Whether a tenant that stays has the slot, so that a new process would change nothing. */
static bool is_tenants(const struct tenancy *tenancy, uint32_t slot)
{
    const struct unit *unit = tenancy_find_slot(tenancy, slot);

    return unit && !unit->removed &&
           strcmp(unit->settings->path, loaded_slot(&tenancy->loaded, slot)->path) == 0;
}

/* Whether there is no process, or one that the module could run in as far as its limits go. */
static bool has_limits(const struct tenancy *tenancy, const struct config_module *settings)
{
    return host_state(tenancy->host) == HOST_ABSENT ||
           (!host_is_foreign(tenancy->host) &&
            host_has_limits(tenancy->host, &settings->limits, settings->path));
}

bool tenancy_suits(const struct tenancy *tenancy, const struct config_module *settings)
{
    uint32_t slot;

    return has_limits(tenancy, settings) &&
           (host_state(tenancy->host) == HOST_ABSENT ||
            loaded_find(&tenancy->loaded, settings, &settings->file_id, &slot) == 0);
}

unsigned tenancy_free_slots(const struct tenancy *tenancy)
{
    unsigned used = 0;

    for (uint32_t i = 0; i < tenancy->loaded.count; i++)
        used += loaded_slot(&tenancy->loaded, i) != NULL;
    return SCOREBOARD_MODULES - used;
}

bool tenancy_needs_slot(const struct tenancy *tenancy, const struct config_module *settings)
{
    uint32_t slot;

    return host_state(tenancy->host) != HOST_ABSENT &&
           loaded_find(&tenancy->loaded, settings, &settings->file_id, &slot) == 0 &&
           !loaded_slot(&tenancy->loaded, slot);
}

bool tenancy_has_room(const struct unit *unit)
{
    const struct tenancy *tenancy = unit->tenancy;
    enum host_state state = host_state(tenancy->host);
    uint32_t slot;
    int r;

    if (state == HOST_ABSENT)
        return true;
    if (state == HOST_ENDING || tenancy->condemned || !has_limits(tenancy, unit->settings))
        return false;
    r = loaded_find(&tenancy->loaded, unit->settings, &unit->file_id, &slot);
    /* The host will refuse a file that it has loaded for another tenant, with that reason. */
    return r == 0 || (r == -EEXIST && is_tenants(tenancy, slot));
}

void tenancy_attach(struct unit *unit)
{
    struct tenancy *tenancy = unit->tenancy;

    unit->attached = true;
    if (host_state(tenancy->host) == HOST_ABSENT)
        start_host(unit);
    /* Without memory to note what is loaded where, one must not load anything after it. */
    if (loaded_take(&tenancy->loaded, unit->settings, &unit->file_id, &unit->slot) < 0) {
        host_kill(tenancy->host, "no memory for the module %s", unit->name);
        return;
    }
    if (host_state(tenancy->host) == HOST_UP)
        unit_handle(unit, UNIT_EVENT_HOST_UP, NULL);
}

int tenancy_restore_slot(struct unit *unit, struct serialize_error *error)
{
    const struct loaded_slot *slot = loaded_slot(&unit->tenancy->loaded, unit->slot);

    if (slot && strcmp(slot->name, unit->name) != 0) {
        snprintf(error->text, sizeof(error->text), "module %s is said to be in the slot of %s",
                 unit->name, slot->name);
        return -EBADMSG;
    }
    return slot ? 0
                : loaded_put(&unit->tenancy->loaded, unit->slot, unit->settings, &unit->file_id);
}

bool tenancy_release(struct unit *unit, const char *cause)
{
    struct unit *other;

    if (!unit->attached)
        return false;
    LIST_FOREACH (other, &unit->tenancy->units, tenancy_list)
        if (other != unit && other->attached) {
            unit->attached = false;
            return false;
        }
    host_exit(unit->tenancy->host, cause);
    return true;
}

/* Or by reeved, at its own start. A reload that starts one that was down is nobody's word on its
 * tasks. */
static bool was_started_by_person(const struct unit *unit)
{
    return unit->revived || (unit->was_down && unit->starts <= 1);
}

/* A pause after failures is over for one that a person has started, and it is not stopped for an
 * error any more. */
static void send_last_run(const char *task, const struct last_runs_known *known, void *arg)
{
    const struct unit *unit = arg;
    struct wire_message message = {
        .type = WIRE_LAST_RUN,
        .module = unit->slot,
        .flags = (unit->was_down ? 0 : WIRE_LAST_RUN_OWED) |
                 (known->stopped ? WIRE_LAST_RUN_STOPPED : 0) |
                 (known->set_back ? WIRE_LAST_RUN_SET_BACK : 0) |
                 (was_started_by_person(unit) ? WIRE_LAST_RUN_REVIVED : 0),
        .line = unit->was_down && was_started_by_person(unit) ? 0 : known->failures,
        .number = (uint64_t)known->settled,
        .deadline = known->open,
        .since = known->passed_until,
        .name = task,
    };

    host_send(unit->tenancy->host, &message);
}

void tenancy_send_module(struct unit *unit, enum wire_type how)
{
    struct host *host = unit->tenancy->host;
    const struct config_module *settings = unit->settings;
    struct wire_message message = {.type = how,
                                   .module = unit->slot,
                                   .number = unit->reload_number,
                                   .timeout = settings->reload_timeout};

    unit->option_errors = 0;
    host_send_module(host, unit->slot, settings);
    if (how == WIRE_START) {
        last_runs_each(unit->all->last_runs, unit->name, send_last_run, unit);
        /* Also when this start fails, and another one follows by itself. */
        if (was_started_by_person(unit))
            last_runs_revive(unit->all->last_runs, unit->name);
        unit->was_down = unit->revived = false;
    }
    host_send(host, &message);
}

void tenancy_close_books(struct unit *unit, const struct host_end *end)
{
    struct units *units = unit->all;
    const struct scoreboard *board = host_scoreboard(unit->tenancy->host);
    bool expected = !end || end->asked;
    uint64_t lost;

    if (!board)
        return;
    last_runs_close_board(units->last_runs, unit->name, board, unit->slot);
    lost =
        counters_close(&unit->counters, board, unit->slot, end ? end->text : "the module stopped");
    unit->jobs_lost += lost;
    if (lost > 0)
        log_line(expected ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "[%s] %llu %s lost with its host",
                 unit->name, (unsigned long long)lost, plural(lost, "job was", "jobs were"));
}
