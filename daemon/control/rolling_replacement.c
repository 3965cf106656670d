/* SPDX-License-Identifier: MIT */
#include "daemon/control/rolling_replacement.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/control/goal.h"
#include "daemon/process/host.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* The host reads its commands in their order: EXIT is obeyed when every STOP has been. */
static void end_host(struct tenancy *tenancy, const struct cause *cause)
{
    struct unit_input input = {.cause = cause};
    struct unit *unit, *next;

    LIST_FOREACH_SAFE (unit, next, &tenancy->units, tenancy_list) {
        if (!unit->attached || unit->state == UNIT_STOPPING)
            continue;
        if (unit->goal == GOAL_DOWN)
            unit->wanted = false;
        unit->goal = GOAL_NONE;
        unit_handle(unit, UNIT_EVENT_STOP, &input);
    }
    host_dismiss(tenancy->host, cause->text);
}

static bool has_stopping(const struct tenancy *tenancy, struct cause *ret_cause)
{
    const struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (unit->attached && unit->state == UNIT_STOPPING) {
            *ret_cause = unit->cause;
            return true;
        }
    return false;
}

/* One that is given up is not waited for. One in its backoff, or that waits for another, is, if it
 * was well before: what it needs may be on its way. One that was not then may not be for hours. */
static bool moves(struct unit *unit)
{
    if (unit->goal != GOAL_NONE)
        return true;
    if (unit->state == UNIT_BACKOFF)
        return unit->rolled;
    if (unit->state == UNIT_WAITING)
        return unit->rolled && dependencies_wait(unit, NULL) != WAIT_NEVER;
    return unit_is_moving(unit);
}

static bool anything_moves(struct units *units)
{
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list)
        if (moves(unit))
            return true;
    return false;
}

static void replace_next(struct units *units)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_UPGRADE};
    struct tenancy *tenancy;
    struct unit *unit;

    LIST_FOREACH (tenancy, &units->tenancies, list)
        if (host_is_foreign(tenancy->host)) {
            snprintf(cause.text, sizeof(cause.text),
                     "upgrade: its host does not speak wire version %u", wire_version);
            log_notice("the host %s is replaced: it does not speak wire version %u",
                       host_name(tenancy->host), wire_version);
            LIST_FOREACH (unit, &tenancy->units, tenancy_list)
                if (unit->attached)
                    goal_bounce(unit, &cause, NULL);
            return;
        }
}

void rolling_replacement_reconcile(struct units *units)
{
    struct tenancy *tenancy;
    struct cause cause;

    if (!units->rolling)
        return;
    if (tenancies_foreign(units) == 0) {
        units->rolling = anything_moves(units);
        if (!units->rolling)
            log_notice("all hosts speak wire version %u", wire_version);
        return;
    }
    LIST_FOREACH (tenancy, &units->tenancies, list)
        if (host_is_foreign(tenancy->host) && has_stopping(tenancy, &cause))
            end_host(tenancy, &cause);
    if (units->phase != PHASE_RUNNING)
        return;
    if (!anything_moves(units))
        replace_next(units);
}

void rolling_replacement_begin(struct units *units)
{
    unsigned count = tenancies_foreign(units);
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list)
        unit->rolled = unit->state == UNIT_READY && host_is_foreign(unit->tenancy->host);
    units->rolling = count > 0;
    if (count > 0)
        log_notice("%u %s wire version %u", count,
                   plural(count, "host is replaced: it does not speak",
                          "hosts are replaced, one by one: they do not speak"),
                   wire_version);
}
