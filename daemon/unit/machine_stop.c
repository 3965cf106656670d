/* SPDX-License-Identifier: MIT */
/* Actions of a unit: its stops, and ends that nobody had asked for. */
#include "daemon/unit/machine.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/crash.h"
#include "daemon/process/host.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* The time that a stop may take beside its drain and grace: fini, and messages on their way. */
#define STOP_SLACK (2 * NSEC_PER_SEC)

static void send_stop(struct unit *unit)
{
    const struct config_module *settings = unit->settings;
    struct wire_message message = {
        .type = WIRE_STOP,
        .module = unit->slot,
        .flags = settings->drain_queue ? WIRE_STOP_DRAIN_QUEUE : 0,
        .drain = settings->drain,
        .timeout = settings->drain_stall,
        .grace = settings->grace,
        .text = unit->cause.text,
    };

    host_send(unit->tenancy->host, &message);
    unit_enter(unit, UNIT_STOPPING);
    loop_timer_arm(unit->timer, settings->drain + settings->grace + STOP_SLACK);
}

/* It is down: whoever still wants it gets it started again. */
static void finish_stop(struct unit *unit)
{
    if (unit->failed_running) {
        unit->failed_running = false;
        unit_decide(unit, &(struct unit_end){.end = POLICY_END_FAILURE});
        return;
    }
    unit->ready_since = 0;
    if (unit->wanted && !unit->give_up && unit->all->phase < PHASE_STOPPING) {
        unit_note_restart(unit, &unit->cause);
        unit_enter(unit, UNIT_WAITING);
    } else {
        unit_become_down(unit);
    }
}

static void set_cause(struct unit *unit, enum cause_kind kind, const char *text)
{
    unit->cause = (struct cause){.code = -ECANCELED, .kind = kind};
    string_copy(unit->cause.text, sizeof(unit->cause.text), text);
}

static void take_cause(struct unit *unit, const struct unit_input *input)
{
    if (input && input->cause)
        unit->cause = *input->cause;
}

/* Nothing of it runs: its host, if it has one, may just end, or be there for others. */
static void stop_idle(struct unit *unit)
{
    if (tenancy_release(unit, unit->cause.text))
        unit_enter(unit, UNIT_STOPPING);
    else
        finish_stop(unit);
}

void unit_act_stop(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    /* A host that still waits for its turn to be spawned cannot be told anything. */
    if (unit->attached && host_pid(unit->tenancy->host) > 0)
        send_stop(unit);
    else
        stop_idle(unit);
}

/* While it is being checked nothing of it runs: its host may just end. */
void unit_act_stop_check(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    if (!tenancy_release(unit, unit->cause.text))
        unit_become_down(unit);
}

/* The host may be up and idle since the check. */
void unit_act_stop_waiting(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    /* It does not wait for anything any more. */
    unit_set_reason(unit, "%s", "");
    stop_idle(unit);
}

void unit_act_rest(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    unit_become_down(unit);
}

/* A module that was ready has given up: stop it, and then decide. */
void unit_act_gave_up(struct unit *unit, const struct unit_input *input)
{
    unit_set_reason(unit, "%s", input->message->text);
    restart_note(&unit->next_restart, CAUSE_FAILURE, input->message->text, NULL);
    unit->failed_running = true;
    /* A restart that is to come anyway stays what it is. */
    if (!unit_is_to_restart(unit))
        set_cause(unit, CAUSE_FAILURE, unit->reason);
    send_stop(unit);
}

void unit_act_stopped(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;

    if (message->number > 0)
        log_warning("[%s] %llu queued %s not run: %s", unit->name,
                    (unsigned long long)message->number,
                    plural(message->number, "job was", "jobs were"), unit->cause.text);
    if (tenancy_release(unit, unit->cause.text))
        return; /* its host is ending: HOST_ENDED finishes the stop */
    tenancy_close_books(unit, NULL);
    finish_stop(unit);
}

void unit_act_stop_late(struct unit *unit, const struct unit_input *input _unused_)
{
    host_kill_hanging(unit->tenancy->host, unit->slot,
                      "module %s did not stop within its drain and grace", unit->name);
}

/* A host that ended with a code of its own has crashed too: nobody had asked it to end. */
enum log_event unit_event_of(const struct host_end *end)
{
    if (end->asked)
        return LOG_EVENT_NONE;
    return end->hung ? LOG_EVENT_HANG : LOG_EVENT_CRASH;
}

/* The crash on record is of this end; after one that was asked for, the record is of an end before.
 */
static const struct crash *crash_of(const struct unit *unit, const struct host_end *end)
{
    return end->asked ? NULL : &unit->crash;
}

static enum cause_kind kind_of(const struct host_end *end)
{
    if (end->limited)
        return CAUSE_LIMIT;
    if (end->hung)
        return CAUSE_HANG;
    if (end->killed)
        return CAUSE_KILLED;
    return end->clean ? CAUSE_EXIT : CAUSE_CRASH;
}

/* The reason itself is for everybody. Of several tenants the one at fault tells them, or the host.
 */
static void tell_words(const struct unit *unit, const struct unit_input *input,
                       enum log_level level)
{
    if (input->end->words[0] != '\0' && !input->told)
        log_line(level, "[%s] its last lines: %s", unit->name, input->end->words);
}

void unit_note_end(struct unit *unit, const struct unit_input *input, const struct crash *crash)
{
    const struct host_end *end = input->end;
    char text[sizeof(unit->reason)];

    tell_words(unit, input, LOG_LEVEL_ERROR);
    snprintf(text, sizeof(text), "%.100s%s%.380s", unit->reason,
             end->words[0] ? "; its last lines: " : "", end->words);
    restart_note(&unit->next_restart, kind_of(end), text, crash);
}

/* Where somebody else is at fault, whose crash or hang it was: fit for everybody. */
static void set_end_reason(struct unit *unit, const struct unit_input *input, const char *when)
{
    const struct unit *guilty = input->guilty;
    const char *summary = guilty ? guilty->crash.summary : "";

    if (guilty)
        unit_set_reason(unit, "it shares its host with module %.64s: %.300s%s%s%s", guilty->name,
                        input->end->text, summary[0] ? " (" : "", summary, summary[0] ? ")" : "");
    else
        unit_set_reason(unit, "%s%s", input->end->text, when);
}

static enum policy_end policy_end_of(const struct unit_input *input)
{
    if (input->end->refused)
        return POLICY_END_PERMANENT;
    if (input->guilty)
        return POLICY_END_NEIGHBOUR;
    return input->end->not_started ? POLICY_END_NO_PROCESS : POLICY_END_FAILURE;
}

void unit_act_host_ended(struct unit *unit, const struct unit_input *input)
{
    struct unit_end end = {.end = policy_end_of(input),
                           .crash = crash_of(unit, input->end),
                           .starved = input->end->starved,
                           .told = input->told};

    set_end_reason(unit, input, "");
    if (input->guilty)
        restart_note(&unit->next_restart, CAUSE_NEIGHBOUR, unit->reason, NULL);
    else
        unit_note_end(unit, input, end.crash);
    if (end.end == POLICY_END_NO_PROCESS || end.end == POLICY_END_FAILURE)
        end.event = unit_event_of(input->end);
    unit_decide(unit, &end);
}

void unit_act_host_ended_stopping(struct unit *unit, const struct unit_input *input)
{
    const struct crash *crash = crash_of(unit, input->end);
    char text[sizeof(*crash)] = "";

    if (crash) {
        crash_describe(crash, text, sizeof(text));
        log_about(unit_event_of(input->end), input->told ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
                  "[%s] while stopping: %s%s%s", unit->name, input->end->text, text[0] ? "; " : "",
                  text);
        tell_words(unit, input, LOG_LEVEL_WARNING);
        /* After a failure it is that which says why it is not running. */
        if (!unit->failed_running)
            set_end_reason(unit, input, input->end->killed ? "" : " while stopping");
    }
    finish_stop(unit);
}
