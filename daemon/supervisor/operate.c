/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/operate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/tree.h"
#include "daemon/supervisor/unit.h"

struct waiter {
    struct list list;
    struct unit *unit;
    enum operation operation;
    uint64_t starts; /* of the unit when it was asked */
    operate_fn done;
    void *arg;
};

void operations_init(struct operations *operations)
{
    list_init(&operations->list);
}

static void tell(struct waiter *waiter, int code, const char *text)
{
    list_remove(&waiter->list);
    waiter->done(code, text, waiter->arg);
    free(waiter);
}

static void tell_all(struct operations *operations, const struct unit *unit, const char *text)
{
    struct waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &operations->list, list)
        if (!unit || waiter->unit == unit)
            tell(waiter, -ECANCELED, text);
}

void operations_finish(struct operations *operations)
{
    tell_all(operations, NULL, "reeved stops");
}

void operate_forget(struct unit *unit)
{
    tell_all(&unit->supervisor->operations, unit, "the module was removed");
}

/* Marking ----------------------------------------------------------------------------------------
 */

/* The cause for a unit that stops or starts together with `because`. NULL: the unit itself was named. */
static struct cause find_cause(const struct cause *cause, const struct unit *because,
                               const char *how)
{
    struct cause along = *cause;

    if (because)
        snprintf(along.text, sizeof(along.text), "with module %.64s, which %s: %.100s",
                 because->name, how, cause->text);
    return along;
}

/* The unit, and those that require it, and those that require them: circles are refused by the
 * configuration. */
static void mark_down(struct unit *unit, enum unit_plan plan, const struct cause *cause,
                      const struct unit *because)
{
    struct unit *other;

    /* One that rests anyway is not brought up by a restart of what it requires; and one that many ways
     * lead to is marked once. */
    if ((plan == UNIT_PLAN_BOUNCE && unit_is_down(unit)) || unit->mark == unit->supervisor->mark)
        return;
    unit->mark = unit->supervisor->mark;
    unit->plan = plan;
    unit->cause = find_cause(cause, because, "it requires");
    if (plan == UNIT_PLAN_DOWN)
        unit->held = true;
    LIST_FOREACH (other, &unit->supervisor->units, list)
        if (tree_requires(other, unit) && !unit_is_down(other))
            mark_down(other, plan, cause, unit);
}

static void mark_up(struct unit *unit, const struct cause *cause, const struct unit *because)
{
    struct cause along = find_cause(cause, because, "requires it");
    struct unit_input input = {.cause = &along};
    struct unit *other;

    if (unit->mark == unit->supervisor->mark)
        return;
    unit->mark = unit->supervisor->mark;
    unit->plan = UNIT_PLAN_NONE;
    unit->held = false;
    if (unit->state != UNIT_READY && unit->state != UNIT_STARTING)
        unit_handle(unit, UNIT_EVENT_START, &input);
    LIST_FOREACH (other, &unit->supervisor->units, list)
        if (tree_requires(unit, other) && other->state != UNIT_READY && !other->removed)
            mark_up(other, cause, unit);
}

int operate(struct unit *unit, enum operation operation, const struct cause *cause, operate_fn done,
            void *arg)
{
    static const char *const names[] = {"start", "stop", "restart"};
    struct supervisor *supervisor = unit->supervisor;
    struct waiter *waiter = NULL;

    if (supervisor->phase != PHASE_STARTING && supervisor->phase != PHASE_RUNNING)
        return -EBUSY;
    if (done) {
        waiter = calloc(1, sizeof(*waiter));
        if (!waiter)
            return -ENOMEM;
    }
    log_notice("[%s] %s: %s", unit->name, names[operation], cause->text);
    tell_all(&supervisor->operations, unit, "another operation took its place");
    if (waiter) {
        *waiter = (struct waiter){
            .unit = unit, .operation = operation, .starts = unit->starts, .done = done, .arg = arg};
        list_append(&supervisor->operations.list, &waiter->list);
    }
    supervisor->mark++;
    if (operation == OPERATE_STOP)
        mark_down(unit, UNIT_PLAN_DOWN, cause, NULL);
    else if (operation == OPERATE_RESTART && !unit_is_down(unit))
        mark_down(unit, UNIT_PLAN_BOUNCE, cause, NULL);
    else
        mark_up(unit, cause, NULL);
    supervisor_changed(supervisor);
    return 0;
}

/* Stepping ---------------------------------------------------------------------------------------
 */

/* Those that require it are down, or wait to come up again. */
static bool may_go_down(const struct unit *unit)
{
    const struct unit *other;

    LIST_FOREACH (other, &unit->supervisor->units, list)
        if (tree_requires(other, unit) && !unit_is_down(other) && other->state != UNIT_WAITING &&
            other->state != UNIT_BACKOFF)
            return false;
    return true;
}

static void step(struct unit *unit)
{
    struct cause cause = unit->cause;
    struct unit_input input = {.cause = &cause};
    enum unit_plan plan = unit->plan;

    if (plan == UNIT_PLAN_NONE || unit->state == UNIT_STOPPING || !may_go_down(unit))
        return;
    unit->plan = UNIT_PLAN_NONE;
    unit->wanted = plan == UNIT_PLAN_BOUNCE;
    unit_handle(unit, UNIT_EVENT_STOP, &input);
    /* One that was in backoff or had failed is not stopped but started again. */
    if (plan == UNIT_PLAN_BOUNCE && (unit_is_down(unit) || unit->state == UNIT_BACKOFF))
        unit_handle(unit, UNIT_EVENT_START, &input);
}

static void look_at(struct waiter *waiter)
{
    const struct unit *unit = waiter->unit;
    char text[600];

    if (unit->plan != UNIT_PLAN_NONE)
        return;
    if (waiter->operation == OPERATE_STOP) {
        if (unit_is_down(unit))
            tell(waiter, 0, "");
    } else if (unit->state == UNIT_READY &&
               (waiter->operation == OPERATE_START || unit->starts > waiter->starts)) {
        tell(waiter, 0, "");
    } else if (unit_is_down(unit) || unit->state == UNIT_BACKOFF) {
        snprintf(text, sizeof(text), "module %s is %s%s%s", unit->name,
                 unit_state_name(unit->state), unit->reason[0] ? ": " : "", unit->reason);
        tell(waiter, -EIO, text);
    }
}

void operate_settle(struct supervisor *supervisor)
{
    struct waiter *waiter, *next;
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        step(unit);
    LIST_FOREACH_SAFE (waiter, next, &supervisor->operations.list, list)
        look_at(waiter);
}
