/* SPDX-License-Identifier: MIT */
#include "daemon/unit/dependencies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

void dependencies_link(struct units *units)
{
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list)
        for (size_t i = 0; i < unit->edge_count; i++) {
            struct dependency *edge = &unit->edges[i];

            list_remove(&edge->list);
            edge->to = units_find(units, edge->name);
            if (!edge->to)
                edge->to = units_find_leaving(units, edge->name);
            if (edge->to)
                list_append(&edge->to->dependents, &edge->list);
        }
    units_changed(units);
}

/* One that leaves has an heir in another host when it only moves: whoever names the one, names the
 * other. */
static const struct unit *find_heir(const struct unit *unit)
{
    return unit->removed ? units_find(unit->all, unit->name) : NULL;
}

void dependencies_each_requirer(struct unit *unit, void (*act)(struct unit *requirer, void *arg),
                                void *arg)
{
    const struct unit *heir = find_heir(unit);
    struct dependency *edge;

    LIST_FOREACH (edge, &unit->dependents, list)
        if (edge->requires)
            act(edge->from, arg);
    if (!heir)
        return;
    LIST_FOREACH (edge, &heir->dependents, list)
        if (edge->requires)
            act(edge->from, arg);
}

/* Waiting ----------------------------------------------------------------- */

static enum dependencies_wait look_at(struct unit *unit);

static enum dependencies_wait look_along(const struct dependency *edge)
{
    enum dependencies_wait wait;

    if (!edge->to)
        return edge->requires ? WAIT_NEVER : WAIT_MAY;
    switch (edge->to->state) {
    case UNIT_READY:
        /* One that is about to go down is not there any more. */
        return edge->requires && edge->to->goal != GOAL_NONE ? WAIT_MOVES : WAIT_MAY;
    case UNIT_STOPPED:
    case UNIT_FAILED:
        if (edge->to->goal != GOAL_NONE)
            return WAIT_MOVES;
        /* A unit that only comes after it is not held up by one that does not run. */
        return edge->requires ? WAIT_NEVER : WAIT_MAY;
    case UNIT_BACKOFF:
        return edge->to->goal != GOAL_NONE ? WAIT_MOVES : WAIT_LATER;
    case UNIT_WAITING:
        wait = look_at(edge->to);
        if (wait == WAIT_MAY)
            return WAIT_MOVES;
        return wait == WAIT_NEVER && !edge->requires ? WAIT_MAY : wait;
    case UNIT_CHECKING:
    case UNIT_STARTING:
    case UNIT_STOPPING:
    case UNIT_STATE_COUNT:
        break;
    }
    return WAIT_MOVES;
}

/* Whether an option of the module's own has the same value in both. Keys with a dot belong to tasks
 * and pools. */
static bool shares_option(const struct config_module *a, const struct config_module *b)
{
    for (size_t i = 0; i < a->option_count; i++)
        for (size_t j = 0; j < b->option_count; j++)
            if (strcmp(a->options[i].key, b->options[j].key) == 0 &&
                !strchr(a->options[i].key, '.') &&
                strcmp(a->options[i].value, b->options[j].value) == 0)
                return true;
    return false;
}

/* A unit that runs still from before must be gone first: itself in another host, and what used it.
 */
static const struct unit *find_leftover(const struct unit *unit)
{
    const struct unit *old = units_find_leaving(unit->all, unit->name);
    const struct unit *other;
    const struct dependency *edge;

    if (old)
        return old;
    /* The old self of a renamed section still has the directory or the port that the new one wants.
     */
    if (unit->starts == 0 && unit->all->leaving > 0)
        LIST_FOREACH (other, &unit->all->list, list)
            if (other->removed && !unit_is_down(other) &&
                strcmp(other->settings->path, unit->settings->path) == 0 &&
                shares_option(other->settings, unit->settings))
                return other;
    LIST_FOREACH (edge, &unit->dependents, list)
        if (edge->requires && unit_is_running(edge->from))
            return edge->from;
    return NULL;
}

static enum dependencies_wait look_at(struct unit *unit)
{
    const struct unit *leftover;

    if (unit->looked_at == unit->all->generation)
        return unit->wait;
    unit->looked_at = unit->all->generation;
    /* The answer in a circle. The configuration allows none, but settings of two may be mixed where
     * there was no memory for new ones. */
    unit->wait = WAIT_NEVER;
    unit->culprit = unit;
    enum dependencies_wait worst = WAIT_MAY;
    const struct unit *culprit = NULL;

    for (size_t i = 0; i < unit->edge_count; i++) {
        const struct dependency *edge = &unit->edges[i];
        enum dependencies_wait wait = look_along(edge);

        if (wait <= worst)
            continue;
        worst = wait;
        /* A unit that waits itself hands on what is at the end of it. */
        culprit = edge->to && edge->to->state == UNIT_WAITING && edge->to->culprit
                      ? edge->to->culprit
                      : edge->to;
    }
    leftover = worst == WAIT_MAY ? find_leftover(unit) : NULL;
    if (leftover) {
        worst = WAIT_MOVES;
        culprit = leftover;
    } else if (worst == WAIT_MAY && !tenancy_has_room(unit)) {
        worst = WAIT_MOVES;
    }
    unit->wait = worst;
    unit->culprit = culprit;
    return worst;
}

enum dependencies_wait dependencies_wait(struct unit *unit, const struct unit **ret_culprit)
{
    enum dependencies_wait wait = look_at(unit);

    if (ret_culprit)
        *ret_culprit = unit->culprit;
    return wait;
}

void dependencies_describe_wait(struct unit *unit, char *buffer, size_t size)
{
    const struct unit *culprit;
    enum dependencies_wait wait = dependencies_wait(unit, &culprit);

    if (wait == WAIT_MAY)
        snprintf(buffer, size, "%s", "");
    else if (!culprit && wait == WAIT_MOVES)
        snprintf(buffer, size, "waits for the last process of its host to end");
    else if (!culprit)
        snprintf(buffer, size, "waits for a module that is not configured");
    else if (culprit->removed && strcmp(culprit->name, unit->name) == 0)
        snprintf(buffer, size, "waits for itself to leave host %s: %s%s%s",
                 host_name(culprit->tenancy->host),
                 culprit->state == UNIT_READY ? "about to stop" : unit_state_words(culprit->state),
                 culprit->activity[0] ? "; " : "", culprit->activity);
    else
        snprintf(buffer, size, "waits for module %s, which is %s%s%s", culprit->name,
                 culprit->state == UNIT_READY ? "about to stop" : unit_state_words(culprit->state),
                 culprit->state != UNIT_WAITING && culprit->reason[0] ? ": " : "",
                 culprit->state != UNIT_WAITING ? culprit->reason : "");
    text_sanitise(buffer);
}

const struct unit *dependencies_missing(const struct unit *unit)
{
    for (size_t i = 0; i < unit->edge_count; i++) {
        const struct dependency *edge = &unit->edges[i];

        if (edge->requires && edge->to &&
            (edge->to->state != UNIT_READY || edge->to->goal != GOAL_NONE))
            return edge->to;
    }
    return NULL;
}

/* Stopping ---------------------------------------------------------------- */

/* except: a host whose tenants do not count; or NULL. */
static bool has_running(const struct list *dependents, const struct tenancy *except)
{
    const struct dependency *edge;

    LIST_FOREACH (edge, dependents, list)
        if (edge->requires && unit_is_running(edge->from) &&
            (!except || edge->from->tenancy != except))
            return true;
    return false;
}

static bool is_used(const struct unit *unit, const struct tenancy *except)
{
    const struct unit *heir = find_heir(unit);

    return has_running(&unit->dependents, except) ||
           (heir && has_running(&heir->dependents, except));
}

bool dependencies_is_used(const struct unit *unit)
{
    const struct unit *other;

    if (!unit->attached || !host_is_foreign(unit->tenancy->host))
        return is_used(unit, NULL);
    LIST_FOREACH (other, &unit->tenancy->units, tenancy_list)
        if (other->attached && is_used(other, unit->tenancy))
            return true;
    return false;
}

bool dependencies_may_stop(const struct unit *unit)
{
    const struct unit *heir = find_heir(unit);
    const struct dependency *edge;

    LIST_FOREACH (edge, &unit->dependents, list)
        if (!unit_is_down(edge->from))
            return false;
    if (heir)
        LIST_FOREACH (edge, &heir->dependents, list)
            if (!unit_is_down(edge->from))
                return false;
    return true;
}

struct unit *dependencies_untie(struct units *units, bool (*fn)(const struct unit *unit))
{
    struct unit *unit, *first = NULL;

    LIST_FOREACH (unit, &units->list, list) {
        if (unit->state == UNIT_CHECKING || unit->state == UNIT_STARTING ||
            unit->state == UNIT_STOPPING)
            return NULL;
        /* To go without what it requires is the lesser evil for what ran before that was written.
         */
        if (fn(unit) && (!first || (unit->removed && !first->removed)))
            first = unit;
    }
    return first;
}
