/* SPDX-License-Identifier: MIT */
#include "daemon/control/awaited.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/unit.h"

/* What a unit's steps may take beside its timeouts: a host that comes up, and one that is killed. */
#define STEP_SLACK (15 * NSEC_PER_SEC)

/* Settling --------------------------------------------------------------------------------------- */

static void settle(struct errand_item *item, int code, const char *text)
{
    item->settled = true;
    item->errand->open--;
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
        return tree_wait(unit, NULL) >= TREE_LATER;
    return unit->state == UNIT_READY || unit->state == UNIT_BACKOFF || unit_is_down(unit);
}

static void describe(const struct errand_item *item, char *buffer, size_t size)
{
    struct unit *unit = item->unit;

    if (unit->state == UNIT_WAITING)
        tree_describe_wait(unit, buffer, size);
    else
        snprintf(buffer, size, "is %s%s%s", unit_state_words(unit->state),
                 unit->reason[0] ? ": " : "", unit->reason);
}

static void look_at(struct errand_item *item)
{
    bool arrived;
    char text[900];

    if (item->settled || !item->unit || !is_at_rest(item->unit))
        return;
    arrived = item->want == ERRAND_UP ? item->unit->state == UNIT_READY : unit_is_down(item->unit);
    if (!arrived)
        describe(item, text, sizeof(text));
    settle(item, arrived ? 0 : -EIO, arrived ? NULL : text);
}

bool errand_is_settled(const struct errand *errand)
{
    return errand->open == 0;
}

void errands_settle(struct supervisor *supervisor)
{
    struct errand *errand;

    LIST_FOREACH (errand, &supervisor->errands, list)
        for (size_t i = 0; i < errand->count && errand->open > 0; i++)
            look_at(&errand->items[i]);
}

/* A unit is part of few errands, and an errand may be about all units. */
static struct errand_item *find(const struct errand *errand, const struct unit *unit)
{
    struct errand_item *item;

    LIST_FOREACH (item, &unit->errand_items, list)
        if (item->errand == errand)
            return item;
    return NULL;
}

void errands_note(struct unit *unit)
{
    struct errand_item *item;

    LIST_FOREACH (item, &unit->errand_items, list)
        look_at(item);
}

void errands_forget(struct unit *unit)
{
    struct errand_item *item, *next;

    LIST_FOREACH_SAFE (item, next, &unit->errand_items, list) {
        if (!item->settled)
            settle(item, item->want == ERRAND_DOWN ? 0 : -ECANCELED, "was removed");
        item->unit = NULL;
        list_remove(&item->list);
    }
}

/* Timeouts only end here when even a killed process does not: in the kernel, on a disk that is gone. */
static void timed_out(void *arg)
{
    struct errand *errand = arg;
    char text[300];

    for (size_t i = 0; i < errand->count; i++) {
        struct errand_item *item = &errand->items[i];

        if (item->settled || !item->unit)
            continue;
        snprintf(text, sizeof(text), "is still %s, after all its timeouts",
                 item->unit->state == UNIT_READY && item->unit->goal != GOAL_NONE
                     ? "about to stop"
                     : unit_state_words(item->unit->state));
        settle(item, -ETIMEDOUT, text);
    }
    supervisor_changed(errand->supervisor);
}

/* Making ----------------------------------------------------------------------------------------- */

int errand_begin(struct supervisor *supervisor, const char *what, struct errand **ret_errand)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    struct unit *unit;

    if (!errand)
        return -ENOMEM;
    errand->supervisor = supervisor;
    snprintf(errand->what, sizeof(errand->what), "%s", what);
    list_init(&errand->list);
    errand->size = supervisor->new_config ? supervisor->new_config->module_count : 0;
    LIST_FOREACH (unit, &supervisor->units, list)
        errand->size++;
    errand->items = calloc(MAX(errand->size, 1U), sizeof(*errand->items));
    if (!errand->items ||
        loop_timer_create(supervisor->loop, timed_out, errand, &errand->timer) < 0) {
        errand_end(errand);
        return -ENOMEM;
    }
    list_append(&supervisor->errands, &errand->list);
    *ret_errand = errand;
    return 0;
}

void errand_end(struct errand *errand)
{
    if (!errand)
        return;
    list_remove(&errand->list);
    loop_timer_destroy(errand->timer);
    for (size_t i = 0; i < errand->count; i++) {
        list_remove(&errand->items[i].list);
        free(errand->items[i].text);
    }
    free(errand->items);
    free(errand);
}

static void overtake(const struct errand *by_errand, const struct unit *unit, enum errand_want want,
                     const char *by)
{
    struct errand_item *item;
    char text[400];

    LIST_FOREACH (item, &unit->errand_items, list) {
        if (item->errand == by_errand || item->settled || item->want == want)
            continue;
        snprintf(text, sizeof(text), "is overtaken by %s", by_errand ? by_errand->what : by);
        settle(item, -ECANCELED, text);
    }
}

/* What a timer takes: a time from now on, and an end to come. */
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

void errand_add(struct supervisor *supervisor, struct errand *errand, struct unit *unit,
                enum errand_want want, const char *by)
{
    struct errand_item *item = errand ? find(errand, unit) : NULL;

    overtake(errand, unit, want, by);
    if (item)
        item->want = want;
    if (item || !errand || errand->count == errand->size)
        return;
    item = &errand->items[errand->count++];
    *item = (struct errand_item){.errand = errand, .unit = unit, .want = want};
    list_append(&unit->errand_items, &item->list);
    errand->open++;
    snprintf(item->name, sizeof(item->name), "%s", unit->name);
    /* It goes along only now. */
    if (loop_timer_due(errand->timer) != 0)
        loop_timer_arm(errand->timer,
                       add_steps(MAX(loop_timer_due(errand->timer) - clock_monotonic(), INT64_C(0)),
                                 unit->settings));
}

void errand_depart(struct errand *errand)
{
    int64_t longest = 0;
    struct unit *unit;

    for (size_t i = 0; i < errand->count; i++)
        longest = add_steps(longest, errand->items[i].unit->settings);
    /* Others that move already may be in its way. */
    LIST_FOREACH (unit, &errand->supervisor->units, list)
        if (!find(errand, unit) && (unit_is_moving(unit) || unit->goal != GOAL_NONE))
            longest = add_steps(longest, unit->settings);
    loop_timer_arm(errand->timer, longest);
}
