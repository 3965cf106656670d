/* SPDX-License-Identifier: MIT */
#include "daemon/control/goal.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/process/host.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/policy.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* One walk over units that hang together. */
struct walk {
    const struct cause *cause;
    struct awaited *awaited;
    const struct unit *because; /* the unit that the walk comes from; NULL: this one was named */
};

/* The cause for a unit that stops or starts together with another. */
static struct cause find_cause(const struct walk *walk, const char *how)
{
    struct cause along = *walk->cause;

    if (walk->because) {
        snprintf(along.text, sizeof(along.text), "with module %.64s, which %s: %.100s",
                 walk->because->name, how, walk->cause->text);
        text_sanitise(along.text);
    }
    return along;
}

/* Whether this walk comes by for the first time: many ways may lead to one unit. */
static bool is_first_visit(struct unit *unit)
{
    if (unit->mark == unit->all->mark)
        return false;
    unit->mark = unit->all->mark;
    return true;
}

static void want(const struct walk *walk, struct unit *unit, enum awaited_want want,
                 const struct cause *cause)
{
    awaited_add(unit->all, walk->awaited, unit, want, cause->text);
    units_changed(unit->all);
}

/* Down -------------------------------------------------------------------- */

static void take_down(struct unit *unit, void *arg)
{
    const struct walk *walk = arg;
    struct walk further = {walk->cause, walk->awaited, unit};

    /* One that rests is left alone, unless it was named. */
    if ((walk->because && unit_is_down(unit)) || !is_first_visit(unit))
        return;
    unit->cause = find_cause(walk, "it requires");
    unit->goal = GOAL_DOWN;
    unit->held = true;
    unit->give_up = unit->revived = false;
    want(walk, unit, AWAITED_DOWN, &unit->cause);
    dependencies_each_requirer(unit, take_down, &further);
}

void goal_down(struct unit *unit, const struct cause *cause, struct awaited *awaited)
{
    struct walk walk = {cause, awaited, NULL};

    unit->all->mark++;
    take_down(unit, &walk);
}

/* Bounce ------------------------------------------------------------------ */

static void bounce(struct unit *unit, void *arg)
{
    const struct walk *walk = arg;
    struct walk further = {walk->cause, walk->awaited, unit};
    struct unit *other;

    if (!is_first_visit(unit))
        return;
    if (unit_goes_down(unit)) {
        unit->spent = true;
        return;
    }
    /* A unit that was named may have a process without running in it, since the first check. */
    if (!unit_is_running(unit) && (walk->because || !unit->attached))
        return;
    unit->cause = find_cause(walk, "it requires");
    unit->goal = GOAL_BOUNCE;
    unit->spent = true;
    unit->revived = unit->revived || unit->cause.kind == CAUSE_OPERATOR;
    want(walk, unit, AWAITED_UP, &unit->cause);
    dependencies_each_requirer(unit, bounce, &further);
    /* Such a host ends as a whole. */
    if (unit->attached && host_is_foreign(unit->tenancy->host))
        LIST_FOREACH (other, &unit->tenancy->units, tenancy_list)
            if (other->attached)
                bounce(other, &further);
}

void goal_bounce(struct unit *unit, const struct cause *cause, struct awaited *awaited)
{
    struct walk walk = {cause, awaited, NULL};

    unit->all->mark++;
    bounce(unit, &walk);
}

void goal_fall(struct unit *unit, const struct cause *cause, struct awaited *awaited)
{
    struct walk walk = {cause, awaited, unit};

    unit->all->mark++;
    unit->mark = unit->all->mark;
    unit->cause = *cause;
    unit->goal = GOAL_DOWN;
    unit->spent = true;
    units_changed(unit->all);
    dependencies_each_requirer(unit, bounce, &walk);
}

void goal_renew(struct unit *unit, const struct cause *cause)
{
    if (unit->held) {
        unit->spent = true;
    } else if (unit->goal == GOAL_DOWN || unit->state == UNIT_STOPPING) {
        unit->cause = *cause;
        unit->goal = unit->goal == GOAL_DOWN ? GOAL_BOUNCE : unit->goal;
        unit->wanted = true;
        unit->give_up = unit->failed_running = false;
        policy_history_clear(&unit->history);
    }
}

/* Hosts ------------------------------------------------------------------- */

void goal_condemn(struct tenancy *tenancy, const struct cause *cause, struct awaited *awaited)
{
    struct unit *unit;

    if (tenancy->condemned || host_state(tenancy->host) == HOST_ABSENT ||
        host_state(tenancy->host) == HOST_ENDING)
        return;
    tenancy->condemned = true;
    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (unit->attached)
            goal_bounce(unit, cause, awaited);
}

void goal_make_room(struct unit *unit)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};

    if (tenancy_has_room(unit) || host_is_foreign(unit->tenancy->host))
        return;
    snprintf(cause.text, sizeof(cause.text), "module %.64s needs a new process for its host",
             unit->name);
    goal_condemn(unit->tenancy, &cause, NULL);
}

/* Up ---------------------------------------------------------------------- */

static void bring_up(struct unit *unit, const struct walk *walk)
{
    struct cause cause = find_cause(walk, "requires it");
    struct walk further = {walk->cause, walk->awaited, unit};
    struct unit_input input = {.cause = &cause};

    if (unit->removed || !is_first_visit(unit))
        return;
    for (size_t i = 0; i < unit->edge_count; i++)
        if (unit->edges[i].requires && unit->edges[i].to)
            bring_up(unit->edges[i].to, &further);
    unit->held = false;
    unit->give_up = false;
    unit->wanted = true;
    want(walk, unit, AWAITED_UP, &cause);
    /* If a unit that it requires has gone meanwhile, the next settling stops it. A spent unit,
     * which may be dead or of another file by now, stops and starts. */
    if (unit->goal == GOAL_DOWN && unit->spent) {
        unit->goal = GOAL_BOUNCE;
        unit->cause = cause;
    } else if (unit->goal == GOAL_DOWN) {
        unit->goal = GOAL_NONE;
    }
    /* For the start that is to come. */
    if (unit->state == UNIT_WAITING)
        unit_note_restart(unit, &cause);
    if (unit->goal == GOAL_BOUNCE || unit->state == UNIT_STOPPING)
        unit->revived = true;
    if (unit->state != UNIT_READY && unit->state != UNIT_STARTING && unit->state != UNIT_WAITING)
        unit_handle(unit, UNIT_EVENT_START, &input);
}

void goal_up(struct unit *unit, const struct cause *cause, struct awaited *awaited)
{
    struct walk walk = {cause, awaited, NULL};

    unit->all->mark++;
    bring_up(unit, &walk);
}

/* Settling ---------------------------------------------------------------- */

/* A unit does not outlive what it requires, however that went. */
static void follow_requirement(struct unit *unit)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_DEPENDENCY};
    const struct unit *missing;

    if (unit->goal != GOAL_NONE || (unit->state != UNIT_READY && unit->state != UNIT_STARTING))
        return;
    missing = dependencies_missing(unit);
    if (!missing)
        return;
    snprintf(cause.text, sizeof(cause.text), "module %s, which it requires, is %s", missing->name,
             missing->state == UNIT_READY ? "about to stop" : unit_state_words(missing->state));
    log_notice("[%s] restarts: %s", unit->name, cause.text);
    goal_bounce(unit, &cause, NULL);
}

static bool is_asked_for(const struct unit *unit)
{
    return unit->cause.kind == CAUSE_OPERATOR || unit->cause.kind == CAUSE_RELOAD;
}

/* Returns whether it has, or is, what it was told to be. Without force nothing that is used stops.
 */
static bool step_down(struct unit *unit, bool force)
{
    struct cause cause = unit->cause;
    struct unit_input input = {.cause = &cause};

    unit->wanted = false;
    if (unit->state == UNIT_STOPPING) {
        unit->goal = GOAL_NONE;
        return true;
    }
    if (!force && dependencies_is_used(unit))
        return false;
    unit->goal = GOAL_NONE;
    unit_handle(unit, UNIT_EVENT_STOP, &input);
    return true;
}

static bool step_bounce(struct unit *unit, bool force)
{
    struct cause cause = unit->cause;
    struct unit_input input = {.cause = &cause};

    /* It comes back from this stop too; what follows a failure is decided at its end. */
    if (unit->state == UNIT_STOPPING || (!force && dependencies_is_used(unit)))
        return false;
    unit->goal = GOAL_NONE;
    if (unit_is_running(unit) || unit->attached) {
        unit->wanted = true;
        unit_handle(unit, UNIT_EVENT_STOP, &input);
    } else if (unit->state != UNIT_WAITING && is_asked_for(unit)) {
        unit_handle(unit, UNIT_EVENT_START, &input);
    }
    return true;
}

static bool step(struct unit *unit, bool force)
{
    switch (unit->goal) {
    case GOAL_NONE:
        break;
    case GOAL_DOWN:
        return step_down(unit, force);
    case GOAL_BOUNCE:
        return step_bounce(unit, force);
    }
    return false;
}

static bool has_goal(const struct unit *unit)
{
    return unit->goal != GOAL_NONE;
}

void goals_reconcile(struct units *units)
{
    bool stepped = false, any = false;
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list) {
        follow_requirement(unit);
        any = any || has_goal(unit);
    }
    /* A unit that follows a requirement has a goal itself, not only those that require it. */
    if (!any)
        return;
    LIST_FOREACH (unit, &units->list, list)
        stepped = step(unit, false) || stepped;
    unit = stepped ? NULL : dependencies_untie(units, has_goal);
    if (unit)
        stepped = step(unit, true);
    if (stepped)
        units_changed(units);
}
