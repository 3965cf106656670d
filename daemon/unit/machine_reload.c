/* SPDX-License-Identifier: MIT */
/* Actions of a unit that is given new options. */
#include "daemon/unit/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/units.h"

void unit_act_reload(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->reload_number++;
    unit->reloading = true;
    unit->deferred[0] = '\0';
    loop_timer_arm(unit->timer, unit->settings->reload_timeout);
    tenancy_send_module(unit, WIRE_RELOAD);
}

/* Answers to an earlier reload may arrive after newer options were sent. */
static bool is_of_last(const struct unit *unit, const struct unit_input *input)
{
    return input->message->number == unit->reload_number;
}

/* New options for a module that is not ready: it starts anew with them, if it should run. */
void unit_act_reload_restart(struct unit *unit, const struct unit_input *input)
{
    unit->wanted = true;
    unit_act_stop(unit, input);
}

/* In its turn: what requires it goes first. */
static void restart(struct unit *unit, const char *why)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};

    log_notice("[%s] restarts: %s", unit->name, why);
    string_copy(cause.text, sizeof(cause.text), why);
    unit->reloading = false;
    unit->deferred[0] = '\0';
    unit->all->owner->restart(unit, &cause, unit->all->arg);
}

/* A client that waits for the reload need not wait for that: all that can be done has been. The
 * work that it waits for may become something else. */
void unit_act_deferred(struct unit *unit, const struct unit_input *input)
{
    if ((!unit->reloading && unit->deferred[0] == '\0') || !is_of_last(unit, input))
        return;
    unit->reloading = false;
    string_copy(unit->deferred, sizeof(unit->deferred), input->message->text);
    text_clean_lines(unit->deferred, sizeof(unit->deferred));
    loop_timer_disarm(unit->timer);
    log_notice("[%s] takes its new options when %s", unit->name, unit->deferred);
    units_changed(unit->all);
}

/* The limit begins here, with this reload's own exchange of options. Until now the host may have
 * waited for work, or been in the reload() of the reload before. */
void unit_act_reloading(struct unit *unit, const struct unit_input *input)
{
    if ((unit->deferred[0] == '\0' && !unit->reloading) || !is_of_last(unit, input))
        return;
    unit->deferred[0] = '\0';
    unit->reloading = true;
    loop_timer_arm(unit->timer, unit->settings->reload_timeout);
    units_changed(unit->all);
}

void unit_act_reloaded(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;

    if ((!unit->reloading && unit->deferred[0] == '\0') || !is_of_last(unit, input))
        return;
    unit->reloading = false;
    unit->deferred[0] = '\0';
    loop_timer_disarm(unit->timer);
    if (message->code == 0) {
        log_info("[%s] reloaded", unit->name);
        units_changed(unit->all);
    } else if (message->code == -EOPNOTSUPP) {
        restart(unit, "it takes new options only by a restart");
    } else if (message->code == -ENOMEM) {
        char why[300] = "there was no memory to give it its new options";
        size_t length = strlen(why);

        /* Nothing is wrong with it, nor with them. */
        if (message->text[0] != '\0')
            snprintf(why + length, sizeof(why) - length, ": %.*s",
                     (int)text_first_line(message->text), message->text);
        text_clean(why, sizeof(why));
        restart(unit, why);
    } else {
        struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};

        unit_set_reason(unit, "reload failed: %s", message->text);
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR, "[%s] %s", unit->name, unit->reason);
        unit->spent = true;
        /* Its stop is to come already, and what follows. */
        if (unit->goal != GOAL_NONE)
            return;
        string_copy(cause.text, sizeof(cause.text), unit->reason);
        unit->give_up = true;
        unit->all->owner->fall(unit, &cause, unit->all->arg);
    }
}

void unit_act_reload_late(struct unit *unit, const struct unit_input *input _unused_)
{
    if (unit->reloading)
        restart(unit, "it did not reload within reload-timeout");
}
