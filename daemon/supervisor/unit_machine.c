/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a unit: one table, states x events, tiny actions. An event that has no entry
 * in a state is ignored there, which is right for whatever a host may say too late.
 */
#include "daemon/supervisor/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/tenancy.h"

/* What a stop may take beside its drain and grace: fini, and messages on their way. */
#define STOP_SLACK (2 * NSEC_PER_SEC)

static void set_reason(struct unit *unit, const char *format, ...) printf_like(2, 3);
static void set_reason(struct unit *unit, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(unit->reason, sizeof(unit->reason), format, args);
    va_end(args);
    text_sanitise(unit->reason);
}

static void enter(struct unit *unit, enum unit_state state)
{
    enum unit_state before = unit->state;

    loop_timer_disarm(unit->timer);
    unit->state = state;
    unit->state_since = clock_monotonic();
    unit->activity[0] = '\0';
    unit->reloading = false;
    log_debug("[%s] %s -> %s%s%s", unit->name, unit_state_name(before), unit_state_name(state),
              unit->reason[0] ? ": " : "", unit->reason);
    supervisor_unit_changed(unit, before);
}

static void become_down(struct unit *unit)
{
    unit->wanted = false;
    enter(unit, unit->give_up ? UNIT_FAILED : UNIT_STOPPED);
    unit->give_up = false;
}

/* It ended without having been asked to: restart, rest or give up. event: what the end is in the log. */
static void decide(struct unit *unit, enum policy_end end, enum log_event event)
{
    struct policy_facts facts = {
        .end = end, .now = clock_monotonic(), .ready_since = unit->ready_since};
    struct policy_decision decision;
    char crash[sizeof(struct crash)];
    size_t length = strlen(unit->reason);

    unit->ready_since = 0;
    if (!unit->wanted || unit->supervisor->phase >= PHASE_STOPPING) {
        become_down(unit);
        return;
    }
    (void)!getrandom(&facts.random, sizeof(facts.random), GRND_NONBLOCK);
    decision =
        unit->supervisor->phase == PHASE_STARTING && unit->settings->essential
            ? (struct policy_decision){POLICY_FAILED, .reason = "not restarted: at the first "
                                                                "start reeved ends with it"}
            : policy_decide(unit->settings, &unit->history, &facts);
    crash_describe(&unit->crash, crash, sizeof(crash));
    log_about(event, end == POLICY_END_CLEAN ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR,
              "[%s] %s; %s%s%s", unit->name, unit->reason, decision.reason, crash[0] ? "; " : "",
              crash);
    if (decision.verdict == POLICY_FAILED)
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR, "[%s] given up", unit->name);
    snprintf(unit->reason + length, sizeof(unit->reason) - length, "; %s", decision.reason);
    if (decision.verdict == POLICY_RESTART) {
        policy_record(&unit->history, &decision, facts.now);
        unit->restarts++;
        enter(unit, UNIT_BACKOFF);
        loop_timer_arm(unit->timer, decision.delay);
    } else {
        unit->give_up = decision.verdict == POLICY_FAILED;
        become_down(unit);
    }
}

/* Notes that its next start is a restart for this cause. */
static void note_restart(struct unit *unit, const struct cause *cause)
{
    if (cause->kind != CAUSE_NONE && (unit->starts > 0 || unit->next_restart.kind != CAUSE_NONE))
        restart_note(&unit->next_restart, cause->kind, cause->text, NULL);
}

/* Actions -------------------------------------------------------------------------------------- */

static void act_check(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->wanted = true;
    enter(unit, UNIT_CHECKING);
    loop_timer_arm(unit->timer, unit->settings->start_timeout);
    tenancy_attach(unit);
}

static void act_send_check(struct unit *unit, const struct unit_input *input _unused_)
{
    tenancy_send_module(unit, WIRE_CHECK);
}

/* The errors, if any, were reported one by one before. */
static void act_checked(struct unit *unit, const struct unit_input *input _unused_)
{
    enter(unit, UNIT_WAITING);
}

static void act_check_failed(struct unit *unit, const struct unit_input *input)
{
    const char *text = input->end ? input->end->text : input->message->text;

    if (input->end && input->end->asked) {
        become_down(unit);
        return;
    }
    /* What this machine cannot enforce is no error in what is written; only who cannot do without
     * the module ends for it. */
    if (input->end && input->end->refused && !unit->settings->essential)
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR,
                  "[%s] %s; not started: trying again cannot help", unit->name, text);
    else
        config_error(&unit->supervisor->check_errors, unit->settings->file, unit->settings->line,
                     "[module:%s] %s", unit->name, text);
    set_reason(unit, "%s", text);
    unit->give_up = true;
    tenancy_release(unit, "its module failed the check");
    become_down(unit);
}

static void act_check_late(struct unit *unit, const struct unit_input *input _unused_)
{
    host_kill(unit->tenancy->host, "it did not check its options within start-timeout");
}

static void act_want(struct unit *unit, const struct unit_input *input)
{
    if (input && input->cause)
        note_restart(unit, input->cause);
    unit->wanted = true;
    policy_history_clear(&unit->history);
    set_reason(unit, "%s", "");
    enter(unit, UNIT_WAITING);
}

static void act_want_later(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->wanted = true;
}

static void act_retry(struct unit *unit, const struct unit_input *input _unused_)
{
    enter(unit, UNIT_WAITING);
}

static void act_launch(struct unit *unit, const struct unit_input *input _unused_)
{
    enter(unit, UNIT_STARTING);
    log_about(unit->starts > 0 ? LOG_EVENT_RESTART : LOG_EVENT_START, LOG_LEVEL_INFO, "[%s] %s",
              unit->name, unit->starts > 0 ? "starting again" : "starting");
    unit->starts++;
    if (unit->next_restart.kind != CAUSE_NONE) {
        unit->last_restart = unit->next_restart;
        unit->last_restart.at = unit->state_since;
        unit->next_restart = (struct restart){0};
    }
    unit->cause = (struct cause){0};
    loop_timer_arm(unit->timer, unit->settings->start_timeout);
    tenancy_attach(unit);
}

static void act_send_start(struct unit *unit, const struct unit_input *input _unused_)
{
    tenancy_send_module(unit, WIRE_START);
}

static void act_ready(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->ready_since = clock_monotonic();
    set_reason(unit, "%s", "");
    enter(unit, UNIT_READY);
    log_about(LOG_EVENT_READY, LOG_LEVEL_INFO, "[%s] ready", unit->name);
}

static void act_start_late(struct unit *unit, const struct unit_input *input _unused_)
{
    char text[DURATION_TEXT_SIZE];

    host_kill_hanging(unit->tenancy->host, unit->slot,
                      "module %s was not ready within %s (start-timeout)", unit->name,
                      duration_format(unit->settings->start_timeout, text, sizeof(text)));
}

static void act_start_failed(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;

    set_reason(unit, "%s failed: %s", message->name, message->text);
    restart_note(&unit->next_restart, CAUSE_FAILURE, unit->reason, NULL);
    /* Its pools may have taken jobs before it failed. */
    tenancy_close_books(unit, true);
    tenancy_release(unit, "its module did not start");
    unit->attached = false;
    decide(unit, message->flags & WIRE_FAILED_PERMANENT ? POLICY_END_PERMANENT : POLICY_END_FAILURE,
           LOG_EVENT_NONE);
}

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
    enter(unit, UNIT_STOPPING);
    loop_timer_arm(unit->timer, settings->drain + settings->grace + STOP_SLACK);
}

/* It is down: whoever still wants it gets it started again. */
static void finish_stop(struct unit *unit)
{
    if (unit->failed_running) {
        unit->failed_running = false;
        decide(unit, POLICY_END_FAILURE, LOG_EVENT_NONE);
        return;
    }
    unit->ready_since = 0;
    if (unit->wanted && !unit->give_up && unit->supervisor->phase < PHASE_STOPPING) {
        note_restart(unit, &unit->cause);
        enter(unit, UNIT_WAITING);
    } else {
        become_down(unit);
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
        enter(unit, UNIT_STOPPING);
    else
        finish_stop(unit);
}

static void act_stop(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    /* A host that still waits for its turn to be spawned cannot be told anything. */
    if (unit->attached && host_pid(unit->tenancy->host) > 0)
        send_stop(unit);
    else
        stop_idle(unit);
}

/* While it is being checked nothing of it runs: its host may just end. */
static void act_stop_check(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    if (!tenancy_release(unit, unit->cause.text))
        become_down(unit);
}

/* The host may be up and idle since the check. */
static void act_stop_waiting(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    stop_idle(unit);
}

static void act_rest(struct unit *unit, const struct unit_input *input)
{
    take_cause(unit, input);
    become_down(unit);
}

/* A module that was ready has given up: stop it, and then decide. */
static void act_gave_up(struct unit *unit, const struct unit_input *input)
{
    set_reason(unit, "%s", input->message->text);
    restart_note(&unit->next_restart, CAUSE_FAILURE, unit->reason, NULL);
    unit->failed_running = true;
    set_cause(unit, CAUSE_FAILURE, unit->reason);
    send_stop(unit);
}

static void act_stopped(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;

    if (message->number > 0)
        log_warning("[%s] %llu queued jobs were not run: %s", unit->name,
                    (unsigned long long)message->number, unit->cause.text);
    if (tenancy_release(unit, unit->cause.text))
        return; /* its host is ending: HOST_ENDED finishes the stop */
    tenancy_close_books(unit, true);
    finish_stop(unit);
}

static void act_stop_late(struct unit *unit, const struct unit_input *input _unused_)
{
    host_kill_hanging(unit->tenancy->host, unit->slot,
                      "module %s did not stop within its drain and grace", unit->name);
}

/* A host that ended with a code of its own has crashed too: nobody had asked it to end. */
static enum log_event event_of(const struct host_end *end)
{
    if (end->clean || end->asked)
        return LOG_EVENT_NONE;
    return end->hung ? LOG_EVENT_HANG : LOG_EVENT_CRASH;
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

static void act_host_ended(struct unit *unit, const struct unit_input *input)
{
    char text[sizeof(unit->reason)];

    set_reason(unit, "%s", input->end->text);
    if (input->guilty) {
        snprintf(text, sizeof(text), "it shares its host with module %.64s: %.400s",
                 input->guilty->name, unit->reason);
        restart_note(&unit->next_restart, CAUSE_NEIGHBOUR, text, NULL);
    } else {
        restart_note(&unit->next_restart, kind_of(input->end), unit->reason,
                     input->end->asked ? NULL : &unit->crash);
    }
    if (input->end->refused)
        decide(unit, POLICY_END_PERMANENT, LOG_EVENT_NONE);
    else if (input->guilty)
        decide(unit, POLICY_END_NEIGHBOUR, LOG_EVENT_NONE);
    else
        decide(unit, input->end->clean ? POLICY_END_CLEAN : POLICY_END_FAILURE,
               event_of(input->end));
}

static void act_host_ended_stopping(struct unit *unit, const struct unit_input *input)
{
    if (!input->end->asked)
        log_about(event_of(input->end), LOG_LEVEL_WARNING, "[%s] while stopping: %s", unit->name,
                  input->end->text);
    finish_stop(unit);
}

static void act_reload(struct unit *unit, const struct unit_input *input _unused_)
{
    unit->reloading = true;
    loop_timer_arm(unit->timer, unit->settings->reload_timeout);
    tenancy_send_module(unit, WIRE_RELOAD);
}

/* New options for a module that is not ready: it starts anew with them, if it should run. */
static void act_reload_restart(struct unit *unit, const struct unit_input *input)
{
    unit->wanted = true;
    act_stop(unit, input);
}

static void restart(struct unit *unit, const char *why)
{
    log_notice("[%s] restarts: %s", unit->name, why);
    set_cause(unit, CAUSE_RELOAD, why);
    unit->wanted = true;
    send_stop(unit);
}

static void act_reloaded(struct unit *unit, const struct unit_input *input)
{
    const struct wire_message *message = input->message;

    if (!unit->reloading)
        return;
    unit->reloading = false;
    loop_timer_disarm(unit->timer);
    if (message->code == 0) {
        log_info("[%s] reloaded", unit->name);
        supervisor_changed(unit->supervisor);
    } else if (message->code == -EOPNOTSUPP) {
        restart(unit, "it takes new options only by a restart");
    } else {
        set_reason(unit, "reload failed: %s", message->text);
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR, "[%s] %s", unit->name, unit->reason);
        unit->give_up = true;
        set_cause(unit, CAUSE_RELOAD, unit->reason);
        send_stop(unit);
    }
}

static void act_reload_late(struct unit *unit, const struct unit_input *input _unused_)
{
    if (unit->reloading)
        restart(unit, "it did not reload within reload-timeout");
}

/* The table ------------------------------------------------------------------------------------ */

typedef void unit_action(struct unit *unit, const struct unit_input *input);

static unit_action *const transitions[][UNIT_EVENT_COUNT] = {
    [UNIT_STOPPED] =
        {
            [UNIT_EVENT_CHECK] = act_check,
            [UNIT_EVENT_START] = act_want,
            [UNIT_EVENT_RELOAD] = act_want,
        },
    [UNIT_CHECKING] =
        {
            [UNIT_EVENT_HOST_UP] = act_send_check,
            [UNIT_EVENT_CHECKED] = act_checked,
            [UNIT_EVENT_MODULE_FAILED] = act_check_failed,
            [UNIT_EVENT_HOST_ENDED] = act_check_failed,
            [UNIT_EVENT_STOP] = act_stop_check,
            [UNIT_EVENT_TIMEOUT] = act_check_late,
        },
    [UNIT_WAITING] =
        {
            [UNIT_EVENT_PROCEED] = act_launch,
            [UNIT_EVENT_STOP] = act_stop_waiting,
            [UNIT_EVENT_HOST_ENDED] = act_host_ended,
        },
    [UNIT_STARTING] =
        {
            [UNIT_EVENT_HOST_UP] = act_send_start,
            [UNIT_EVENT_READY] = act_ready,
            [UNIT_EVENT_MODULE_FAILED] = act_start_failed,
            [UNIT_EVENT_HOST_ENDED] = act_host_ended,
            [UNIT_EVENT_STOP] = act_stop,
            [UNIT_EVENT_RELOAD] = act_reload_restart,
            [UNIT_EVENT_TIMEOUT] = act_start_late,
        },
    [UNIT_READY] =
        {
            [UNIT_EVENT_MODULE_FAILED] = act_gave_up,
            [UNIT_EVENT_HOST_ENDED] = act_host_ended,
            [UNIT_EVENT_STOP] = act_stop,
            [UNIT_EVENT_RELOAD] = act_reload,
            [UNIT_EVENT_RELOADED] = act_reloaded,
            [UNIT_EVENT_TIMEOUT] = act_reload_late,
        },
    [UNIT_STOPPING] =
        {
            [UNIT_EVENT_START] = act_want_later,
            [UNIT_EVENT_RELOAD] = act_want_later,
            [UNIT_EVENT_MODULE_STOPPED] = act_stopped,
            [UNIT_EVENT_HOST_ENDED] = act_host_ended_stopping,
            [UNIT_EVENT_TIMEOUT] = act_stop_late,
        },
    [UNIT_BACKOFF] =
        {
            [UNIT_EVENT_START] = act_want,
            [UNIT_EVENT_STOP] = act_rest,
            [UNIT_EVENT_RELOAD] = act_want,
            [UNIT_EVENT_TIMEOUT] = act_retry,
        },
    [UNIT_FAILED] =
        {
            [UNIT_EVENT_START] = act_want,
            [UNIT_EVENT_STOP] = act_rest,
            [UNIT_EVENT_RELOAD] = act_want,
        },
};
_Static_assert(ARRAY_SIZE(transitions) == UNIT_STATE_COUNT, "every state has its row");

void unit_handle(struct unit *unit, enum unit_event event, const struct unit_input *input)
{
    unit_action *action = transitions[unit->state][event];

    if (action)
        action(unit, input);
}
