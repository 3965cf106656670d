/* SPDX-License-Identifier: MIT */
/* Actions of a unit: its check, and its starts up to READY. */
#include "daemon/unit/machine.h"

#include <errno.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/unit/check.h"
#include "daemon/unit/policy.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "settings/errors.h"

void unit_act_check(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->wanted = true;
    unit_enter(unit, UNIT_CHECKING);
    tenancy_attach(unit);
}

void unit_act_send_check(struct unit *unit, const struct unit_input *input _unused_)
{
    loop_timer_arm(unit->timer, unit->settings->start_timeout);
    tenancy_send_module(unit, WIRE_CHECK);
}

/* The errors, if any, were reported one by one before. */
void unit_act_checked(struct unit *unit, const struct unit_input *input _unused_)
{
    unit_enter(unit, UNIT_WAITING);
}

/* Only another process can load it. The modules that share this one move there, too. */
static void need_process(struct unit *unit)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_NEIGHBOUR};

    snprintf(cause.text, sizeof(cause.text), "module %.64s needs a new process for its host",
             unit->name);
    unit->all->owner->condemn(unit->tenancy, &cause, unit->all->arg);
}

/* The configuration is not at fault. The start checks the module again. */
static void check_later(struct unit *unit, const char *text)
{
    log_notice("[%s] could not be checked: %s; it is when it starts", unit->name, text);
    if (tenancy_release(unit, "its module could not be checked")) {
        unit_enter(unit, UNIT_STOPPING);
        return;
    }
    unit->attached = false;
    need_process(unit);
    unit_enter(unit, UNIT_WAITING);
}

static void add_check_error(struct unit *unit, const struct unit_input *input, const char *text)
{
    struct config_errors *errors = &unit->all->check_errors;
    struct config_place place = check_place_of(unit->config, unit->settings, input->message);
    bool ended = input->end && !input->end->refused;

    config_error(errors, place.file, place.line, "[module:%s] %s%s", unit->name,
                 ended ? "ended while it was being checked: " : "", text);
    if (ended)
        check_add_crash(errors, &place, unit->name, &unit->crash, input->end);
}

void unit_act_check_failed(struct unit *unit, const struct unit_input *input)
{
    const char *text = input->end ? input->end->text : input->message->text;

    if (input->message && input->message->flags & WIRE_FAILED_PROCESS) {
        check_later(unit, text);
        return;
    }

    if (input->end && input->end->asked) {
        unit_become_down(unit);
        return;
    }
    /* It was a neighbour that crashed in its check, or hung. */
    if (input->end && input->guilty) {
        log_debug("[%s] could not be checked: module %s ended its host; it is when it starts",
                  unit->name, input->guilty->name);
        unit_enter(unit, UNIT_WAITING);
        return;
    }
    /* Nor is it one when there was no process to ask, or the module crashed: it is asked again by
     * its start. */
    if (input->end && !input->end->refused && !unit->settings->essential) {
        unit_set_reason(unit, "could not be checked: %s", text);
        unit_note_end(unit, input, &unit->crash);
        unit_decide(unit, &(struct unit_end){.end = POLICY_END_FAILURE,
                                             .crash = &unit->crash,
                                             .starved = input->end->starved,
                                             .told = input->told});
        return;
    }
    if (input->end && input->end->not_started) {
        unit_set_reason(unit, "could not be checked: %s", text);
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR, "[%s] %s", unit->name, unit->reason);
        unit->give_up = true;
        unit_become_down(unit);
        return;
    }
    /* A rule that this machine cannot enforce is no error in the file; only a reeved that cannot do
     * without the module ends for it. */
    if (input->end && input->end->refused && !unit->settings->essential)
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR,
                  "[%s] %s; not started: trying again cannot help", unit->name, text);
    else
        add_check_error(unit, input, text);
    unit_set_reason(unit, "%s", text);
    unit->give_up = true;
    tenancy_release(unit, "its module failed the check");
    unit_become_down(unit);
}

void unit_act_check_late(struct unit *unit, const struct unit_input *input _unused_)
{
    host_kill_hanging(unit->tenancy->host, unit->slot,
                      "module %s did not check its options within start-timeout", unit->name);
}

void unit_act_want(struct unit *unit, const struct unit_input *input)
{
    if (input && input->cause)
        unit_note_restart(unit, input->cause);
    unit->wanted = true;
    unit->starved = false;
    policy_history_clear(&unit->history);
    unit_set_reason(unit, "%s", "");
    unit_enter(unit, UNIT_WAITING);
}

/* As unit_act_want(), once it is down: whoever asks for it now does not ask the policy. */
void unit_act_want_later(struct unit *unit, const struct unit_input *input)
{
    if (input && input->cause)
        unit->cause = *input->cause;
    unit->wanted = true;
    unit->failed_running = unit->give_up = false;
    policy_history_clear(&unit->history);
}

void unit_act_retry(struct unit *unit, const struct unit_input *input _unused_)
{
    /* One that crashes again and again waits; its timer is armed anew when it is quiet no more. */
    if (!unit->all->quiet || unit->history.streak <= 1)
        unit_enter(unit, UNIT_WAITING);
}

void unit_act_launch(struct unit *unit, const struct unit_input *input _unused_)
{
    unit_enter(unit, UNIT_STARTING);
    log_about(unit->starts > 0 ? LOG_EVENT_RESTART : LOG_EVENT_START, LOG_LEVEL_INFO, "[%s] %s",
              unit->name, unit->starts > 0 ? "starting again" : "starting");
    unit->starts++;
    if (unit->next_restart.kind != CAUSE_NONE) {
        unit->last_restart = unit->next_restart;
        unit->last_restart.at = unit->state_since;
        unit->next_restart = (struct restart){0};
    }
    unit->cause = (struct cause){0};
    unit->spent = false;
    unit_set_reason(unit, "%s", "");
    tenancy_attach(unit);
}

/* From here on it is the module that takes its time; before, its process waited for its turn, and
 * had its own time to come up. */
void unit_act_send_start(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->start_limit = unit->settings->start_timeout;
    loop_timer_arm(unit->timer, unit->start_limit);
    tenancy_send_module(unit, WIRE_START);
}

void unit_renew_start(struct unit *unit)
{
    const struct config_module *settings = unit->settings;

    if (unit->state == UNIT_STARTING && unit->start_limit != settings->start_timeout &&
        loop_timer_due(unit->timer) != 0)
        loop_timer_arm(unit->timer, MAX(loop_timer_due(unit->timer) - clock_monotonic() -
                                            unit->start_limit + settings->start_timeout,
                                        INT64_C(0)));
    unit->start_limit = settings->start_timeout;
}

void unit_act_ready(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->ready_since = clock_monotonic();
    unit->was_ready = true;
    unit->starved = false;
    unit_set_reason(unit, "%s", "");
    unit_enter(unit, UNIT_READY);
    log_about(LOG_EVENT_READY, LOG_LEVEL_INFO, "[%s] ready", unit->name);
}

void unit_act_start_late(struct unit *unit, const struct unit_input *input _unused_)
{
    char text[DURATION_TEXT_SIZE];

    host_kill_hanging(unit->tenancy->host, unit->slot,
                      "module %s was not ready within %s (start-timeout)", unit->name,
                      duration_format(unit->settings->start_timeout, text, sizeof(text)));
}

void unit_act_start_failed(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;
    char whole[sizeof(unit->next_restart.text)];

    snprintf(whole, sizeof(whole), "%s failed: %s", message->name, message->text);
    unit_set_reason(unit, "%s", whole);
    restart_note(&unit->next_restart, CAUSE_FAILURE, whole, NULL);
    /* Its pools may have taken jobs before it failed. */
    tenancy_close_books(unit, NULL);
    tenancy_release(unit, "its module did not start");
    unit->attached = false;
    if (message->flags & WIRE_FAILED_PROCESS)
        need_process(unit);
    unit_decide(unit, &(struct unit_end){.end = message->flags & WIRE_FAILED_PERMANENT
                                                    ? POLICY_END_PERMANENT
                                                    : POLICY_END_FAILURE});
}
