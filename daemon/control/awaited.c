/* SPDX-License-Identifier: MIT */
#include "daemon/control/awaited.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* The time that a unit's steps may take beside its timeouts: a host that comes up, and one that is
 * killed. */
#define STEP_SLACK (15 * NSEC_PER_SEC)

/* Settling ---------------------------------------------------------------- */

static void settle(struct awaited_item *item, int code, const char *text)
{
    item->settled = true;
    item->awaited->open--;
    item->code = code;
    item->text = text ? strdup(text) : NULL;
    if (item->text)
        text_sanitise(item->text);
}

/* Where it is now it stays, as far as anybody can say. */
static bool is_at_rest(struct unit *unit)
{
    if (unit->goal != GOAL_NONE || unit->reloading)
        return false;
    if (unit->state == UNIT_WAITING)
        return dependencies_wait(unit, NULL) >= WAIT_LATER;
    return unit->state == UNIT_READY || unit->state == UNIT_BACKOFF || unit_is_down(unit);
}

static void describe(const struct awaited_item *item, char *buffer, size_t size)
{
    struct unit *unit = item->unit;

    if (unit->state == UNIT_WAITING)
        dependencies_describe_wait(unit, buffer, size);
    else
        snprintf(buffer, size, "is %s%s%s", unit_state_words(unit->state),
                 unit->reason[0] ? ": " : "", unit->reason);
}

static void look_at(struct awaited_item *item)
{
    bool arrived;
    char text[900];

    if (item->settled || !item->unit || !is_at_rest(item->unit))
        return;
    arrived = item->want == AWAITED_UP ? item->unit->state == UNIT_READY : unit_is_down(item->unit);
    if (!arrived)
        describe(item, text, sizeof(text));
    settle(item, arrived ? 0 : -EIO, arrived ? NULL : text);
}

bool awaited_is_over(const struct awaited *awaited)
{
    return awaited->open == 0;
}

void awaited_reconcile(struct units *units)
{
    struct awaited *awaited;

    LIST_FOREACH (awaited, &units->awaited, list)
        for (size_t i = 0; i < awaited->count && awaited->open > 0; i++)
            look_at(&awaited->items[i]);
}

/* A unit is part of few awaited_list, and an awaited may be about all units. */
static struct awaited_item *find(const struct awaited *awaited, const struct unit *unit)
{
    struct awaited_item *item;

    LIST_FOREACH (item, &unit->awaited_items, list)
        if (item->awaited == awaited)
            return item;
    return NULL;
}

void awaited_note(struct unit *unit)
{
    struct awaited_item *item;

    LIST_FOREACH (item, &unit->awaited_items, list)
        look_at(item);
}

void awaited_forget(struct unit *unit)
{
    struct awaited_item *item, *next;

    LIST_FOREACH_SAFE (item, next, &unit->awaited_items, list) {
        if (!item->settled)
            settle(item, item->want == AWAITED_DOWN ? 0 : -ECANCELED, "was removed");
        item->unit = NULL;
        list_remove(&item->list);
    }
}

/* Timeouts only end here when even a killed process does not: in the kernel, on a disk that is
 * gone. */
static void timed_out(void *arg)
{
    struct awaited *awaited = arg;
    char text[300];

    for (size_t i = 0; i < awaited->count; i++) {
        struct awaited_item *item = &awaited->items[i];

        if (item->settled || !item->unit)
            continue;
        snprintf(text, sizeof(text), "is still %s, after all its timeouts",
                 item->unit->state == UNIT_READY && item->unit->goal != GOAL_NONE
                     ? "about to stop"
                     : unit_state_words(item->unit->state));
        settle(item, -ETIMEDOUT, text);
    }
    units_changed(awaited->units);
}

/* Making ------------------------------------------------------------------ */

int awaited_begin(struct units *units, const char *what, struct awaited **ret_awaited)
{
    struct awaited *awaited = calloc(1, sizeof(*awaited));
    struct unit *unit;

    if (!awaited)
        return -ENOMEM;
    awaited->units = units;
    snprintf(awaited->what, sizeof(awaited->what), "%s", what);
    list_init(&awaited->list);
    awaited->size = units->coming;
    LIST_FOREACH (unit, &units->list, list)
        awaited->size++;
    awaited->items = calloc(MAX(awaited->size, 1U), sizeof(*awaited->items));
    if (!awaited->items ||
        loop_timer_create(units->loop, timed_out, awaited, &awaited->timer) < 0) {
        awaited_end(awaited);
        return -ENOMEM;
    }
    list_append(&units->awaited, &awaited->list);
    *ret_awaited = awaited;
    return 0;
}

void awaited_end(struct awaited *awaited)
{
    if (!awaited)
        return;
    list_remove(&awaited->list);
    loop_timer_destroy(awaited->timer);
    for (size_t i = 0; i < awaited->count; i++) {
        list_remove(&awaited->items[i].list);
        free(awaited->items[i].text);
    }
    free(awaited->items);
    free(awaited);
}

static void overtake(const struct awaited *by_whom, const struct unit *unit, enum awaited_want want,
                     const char *by)
{
    struct awaited_item *item;
    char text[400];

    LIST_FOREACH (item, &unit->awaited_items, list) {
        if (item->awaited == by_whom || item->settled || item->want == want)
            continue;
        snprintf(text, sizeof(text), "is overtaken by %s", by_whom ? by_whom->what : by);
        settle(item, -ECANCELED, text);
    }
}

/* A time that a timer takes: a time from now on, and an end to come. */
#define LONGEST (INT64_MAX / 4)

static int64_t add(int64_t a, int64_t b)
{
    return a > LONGEST - b ? LONGEST : a + b;
}

/* For the end of a unit that runs, and for a new start of it. */
static int64_t add_steps(int64_t longest, const struct config_module *settings)
{
    longest = add(longest, STEP_SLACK);
    longest = add(longest, settings->drain);
    longest = add(longest, settings->grace);
    longest = add(longest, settings->start_timeout);
    return add(longest, settings->reload_timeout);
}

void awaited_add(struct units *units, struct awaited *awaited, struct unit *unit,
                 enum awaited_want want, const char *by)
{
    struct awaited_item *item = awaited ? find(awaited, unit) : NULL;

    overtake(awaited, unit, want, by);
    if (item)
        item->want = want;
    if (item || !awaited || awaited->count == awaited->size)
        return;
    item = &awaited->items[awaited->count++];
    *item = (struct awaited_item){.awaited = awaited, .unit = unit, .want = want};
    list_append(&unit->awaited_items, &item->list);
    awaited->open++;
    snprintf(item->name, sizeof(item->name), "%s", unit->name);
    /* It goes along only now. */
    if (loop_timer_due(awaited->timer) != 0)
        loop_timer_arm(
            awaited->timer,
            add_steps(MAX(loop_timer_due(awaited->timer) - clock_monotonic(), INT64_C(0)),
                      unit->settings));
}

void awaited_depart(struct awaited *awaited)
{
    int64_t longest = 0;
    struct unit *unit;

    for (size_t i = 0; i < awaited->count; i++)
        longest = add_steps(longest, awaited->items[i].unit->settings);
    /* Others that move already may be in its way. */
    LIST_FOREACH (unit, &awaited->units->list, list)
        if (!find(awaited, unit) && (unit_is_moving(unit) || unit->goal != GOAL_NONE))
            longest = add_steps(longest, unit->settings);
    loop_timer_arm(awaited->timer, longest);
}
