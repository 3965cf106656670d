/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/unit.h"

bool tree_requires(const struct unit *unit, const struct unit *other)
{
    return strings_have(&unit->settings->requires, other->name);
}

bool tree_may_start(const struct unit *unit)
{
    const struct unit *other;

    LIST_FOREACH (other, &unit->supervisor->units, list) {
        /* One that is about to go down is not there any more. */
        if ((other->state != UNIT_READY || other->plan != UNIT_PLAN_NONE) &&
            tree_requires(unit, other))
            return false;
        if (other->state != UNIT_READY && !unit_is_down(other) &&
            strings_have(&unit->settings->after, other->name))
            return false;
    }
    return true;
}

bool tree_may_stop(const struct unit *unit)
{
    const struct unit *other;

    LIST_FOREACH (other, &unit->supervisor->units, list)
        if (!unit_is_down(other) && (strings_have(&other->settings->after, unit->name) ||
                                     strings_have(&other->settings->requires, unit->name)))
            return false;
    return true;
}

void tree_restart_requirers(struct unit *unit)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_DEPENDENCY};
    struct unit_input input = {.cause = &cause};
    struct unit *other;

    snprintf(cause.text, sizeof(cause.text), "module %s, which it requires, is %s", unit->name,
             unit_state_name(unit->state));
    LIST_FOREACH (other, &unit->supervisor->units, list)
        if ((other->state == UNIT_READY || other->state == UNIT_STARTING) &&
            tree_requires(other, unit)) {
            log_notice("[%s] restarts: %s", other->name, cause.text);
            unit_handle(other, UNIT_EVENT_STOP, &input);
        }
}
