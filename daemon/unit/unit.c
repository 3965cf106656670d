/* SPDX-License-Identifier: MIT */
/* The record of a module. machine.c decides what happens to it. */
#include "daemon/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/loop/loop.h"

static const char *const state_names[] = {
    [UNIT_STOPPED] = "stopped",   [UNIT_CHECKING] = "checking", [UNIT_WAITING] = "waiting",
    [UNIT_STARTING] = "starting", [UNIT_READY] = "ready",       [UNIT_STOPPING] = "stopping",
    [UNIT_BACKOFF] = "backoff",   [UNIT_FAILED] = "failed",
};
_Static_assert(ARRAY_SIZE(state_names) == UNIT_STATE_COUNT, "every state has a name");

const char *unit_state_name(enum unit_state state)
{
    return state_names[state];
}

const char *unit_state_words(enum unit_state state)
{
    return state == UNIT_BACKOFF ? "in its backoff" : unit_state_name(state);
}

static void timer_expired(void *arg)
{
    unit_handle(arg, UNIT_EVENT_TIMEOUT, NULL);
}

int unit_set_settings(struct unit *unit, struct config *config,
                      const struct config_module *settings)
{
    struct dependency *edges;
    size_t edge_count;
    int r = dependencies_create(unit, settings, &edges, &edge_count);

    if (r < 0)
        return r;
    r = policy_history_resize(&unit->history, settings->restart_limit.count);
    if (r < 0) {
        dependencies_free(edges, edge_count);
        return r;
    }
    dependencies_free(unit->edges, unit->edge_count);
    unit->edges = edges;
    unit->edge_count = edge_count;
    config_ref(config);
    config_free(unit->config);
    unit->config = config;
    unit->settings = settings;
    unit->file_id = settings->file_id;
    return 0;
}

int unit_create(struct loop *loop, struct config *config, const struct config_module *settings,
                struct unit **ret_unit)
{
    struct unit *unit = calloc(1, sizeof(*unit));

    if (!unit)
        return -ENOMEM;
    unit->state_since = clock_monotonic();
    unit->was_down = true;
    list_init(&unit->list);
    list_init(&unit->tenancy_list);
    list_init(&unit->name_list);
    list_init(&unit->dependents);
    list_init(&unit->awaited_items);
    list_init(&unit->pace_list);
    unit->name = strdup(settings->name);
    if (!unit->name || unit_set_settings(unit, config, settings) < 0 ||
        loop_timer_create(loop, timer_expired, unit, &unit->timer) < 0) {
        unit_destroy(unit);
        return -ENOMEM;
    }
    *ret_unit = unit;
    return 0;
}

void unit_destroy(struct unit *unit)
{
    if (!unit)
        return;
    dependencies_unlink(&unit->dependents);
    dependencies_free(unit->edges, unit->edge_count);
    loop_timer_destroy(unit->timer);
    policy_history_free(&unit->history);
    counters_free(&unit->counters);
    config_free(unit->config);
    free(unit->name);
    free(unit);
}

bool unit_goes_down(const struct unit *unit)
{
    return unit->removed || unit->goal == GOAL_DOWN ||
           (unit->state == UNIT_STOPPING && !unit->wanted);
}

bool unit_is_to_restart(const struct unit *unit)
{
    return unit->goal == GOAL_BOUNCE &&
           (unit->cause.kind == CAUSE_OPERATOR || unit->cause.kind == CAUSE_RELOAD);
}
