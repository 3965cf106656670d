/* SPDX-License-Identifier: MIT */
#include "daemon/control/operate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/control/goal.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "wire/scoreboard.h"

struct waiter {
    struct list list;
    struct awaited *awaited;
    operate_fn done;
    void *arg;
    bool starts; /* and a task that stays stopped is none that was started */
};

void operations_init(struct operations *operations, struct units *units)
{
    list_init(&operations->list);
    operations->units = units;
}

static void tell(struct waiter *waiter, int code, const char *text)
{
    list_remove(&waiter->list);
    waiter->done(code, text, waiter->arg);
    awaited_end(waiter->awaited);
    free(waiter);
}

void operations_finish(struct operations *operations)
{
    struct waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &operations->list, list)
        tell(waiter, -ECANCELED, "reeved stops");
}

static int begin_waiting(struct operations *operations, const char *what, operate_fn done,
                         void *arg, struct waiter **ret_waiter)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (!waiter)
        return -ENOMEM;
    *waiter = (struct waiter){.done = done, .arg = arg};
    if (awaited_begin(operations->units, what, &waiter->awaited) < 0) {
        free(waiter);
        return -ENOMEM;
    }
    list_append(&operations->list, &waiter->list);
    *ret_waiter = waiter;
    return 0;
}

/* In the hosts that it leaves it is stopped already: a stop waits for these, too. */
static void add_leaving(struct awaited *awaited, struct unit *unit, const char *what)
{
    struct units *units = unit->all;
    struct unit *other;

    LIST_FOREACH (other, units_name_bucket(units, unit->name), name_list)
        if (other->removed && !unit_is_down(other) && strcmp(other->name, unit->name) == 0)
            awaited_add(units, awaited, other, AWAITED_DOWN, what);
}

/* The name of a task of the module that an error has stopped, and that a start of the module, which
 * runs, does not start. Returns false when there is none. */
static bool find_stopped_task(const struct unit *unit, struct scoreboard_task *ret_task)
{
    const struct scoreboard *board =
        unit->state == UNIT_READY && !unit->reloading ? host_scoreboard(unit->tenancy->host) : NULL;

    for (unsigned i = 0; board && scoreboard_next_task(board, unit->slot, &i); i++)
        if (scoreboard_read_task(board, i, ret_task) && ret_task->head.used &&
            ret_task->module == unit->slot && ret_task->passes == SCOREBOARD_PASSES_STOPPED)
            return true;
    return false;
}

static void refuse_start(struct waiter *waiter, const struct unit *unit, const char *task)
{
    char text[400];

    snprintf(
        text, sizeof(text),
        "module %s runs, but its task %s was stopped for an error: reevectl restart %s starts it "
        "again",
        unit->name, task, unit->name);
    text_sanitise(text);
    tell(waiter, -EIO, text);
}

int operate(struct operations *operations, struct unit *unit, enum operation operation,
            const struct cause *cause, operate_fn done, void *arg)
{
    static const char *const names[] = {"start", "stop", "restart"};
    struct units *units = operations->units;
    struct waiter *waiter = NULL;
    struct awaited *awaited = NULL;
    struct scoreboard_task task;
    char what[96];

    if (units->phase != PHASE_STARTING && units->phase != PHASE_RUNNING)
        return -EBUSY;
    snprintf(what, sizeof(what), "%s of module %s", names[operation], unit->name);
    if (done && begin_waiting(operations, what, done, arg, &waiter) < 0)
        return -ENOMEM;
    log_notice("[%s] %s: %s", unit->name, names[operation], cause->text);
    awaited = waiter ? waiter->awaited : NULL;
    awaited_add(units, awaited, unit, operation == OPERATE_STOP ? AWAITED_DOWN : AWAITED_UP, what);
    if (operation == OPERATE_STOP) {
        goal_down(unit, cause, awaited);
        add_leaving(awaited, unit, what);
    } else {
        bool runs = unit->state == UNIT_READY || unit->state == UNIT_STARTING;

        goal_up(unit, cause, awaited);
        if (operation == OPERATE_RESTART && runs)
            goal_bounce(unit, cause, awaited);
    }
    if (awaited)
        awaited_depart(awaited);
    if (waiter)
        waiter->starts = operation == OPERATE_START;
    if (waiter && waiter->starts && unit->goal == GOAL_NONE && find_stopped_task(unit, &task))
        refuse_start(waiter, unit, task.name);
    units_changed(units);
    return 0;
}

static void tell_item(struct waiter *waiter, const struct awaited_item *item)
{
    char text[1000];

    snprintf(text, sizeof(text), "module %s %s", item->name,
             item->text ? item->text : "did not come to rest where it should");
    tell(waiter, item->code, text);
}

/* The module that was asked for comes first; one that went along is named only where that has
 * arrived. */
static void look_at(struct waiter *waiter)
{
    const struct awaited *awaited = waiter->awaited;
    const struct awaited_item *first = &awaited->items[0];
    struct scoreboard_task task;

    if (first->settled && first->code == -ECANCELED) {
        tell_item(waiter, first);
        return;
    }
    if (!awaited_is_over(awaited))
        return;
    for (size_t i = 0; i < awaited->count; i++)
        if (awaited->items[i].code < 0) {
            tell_item(waiter, &awaited->items[i]);
            return;
        }
    if (waiter->starts && first->unit && find_stopped_task(first->unit, &task))
        refuse_start(waiter, first->unit, task.name);
    else
        tell(waiter, 0, "");
}

void operate_reconcile(struct operations *operations)
{
    struct waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &operations->list, list)
        look_at(waiter);
}
