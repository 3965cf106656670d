/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a unit: one table, states x events, tiny actions. An event that has no entry
 * in a state is ignored there, which is right for whatever a host may say too late.
 */
#include "daemon/unit/machine.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/crash.h"
#include "daemon/unit/policy.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/units.h"

void unit_set_reason(struct unit *unit, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(unit->reason, sizeof(unit->reason), format, args);
    va_end(args);
    text_clean_lines(unit->reason, sizeof(unit->reason));
    /* It goes into texts that everybody sees: more than its first line is for the log alone. */
    if (unit->reason[text_first_line(unit->reason)] != '\0')
        log_error("[%s] %s", unit->name, unit->reason);
    unit->reason[text_first_line(unit->reason)] = '\0';
}

void unit_enter(struct unit *unit, enum unit_state state)
{
    enum unit_state before = unit->state;

    loop_timer_disarm(unit->timer);
    unit->state = state;
    unit->state_since = clock_monotonic();
    unit->activity[0] = '\0';
    unit->reloading = false;
    unit->deferred[0] = '\0';
    log_debug("[%s] %s -> %s%s%s", unit->name, unit_state_name(before), unit_state_name(state),
              unit->reason[0] ? ": " : "", unit->reason);
    unit->all->owner->entered(unit, before, unit->all->arg);
}

void unit_become_down(struct unit *unit)
{
    unit->wanted = false;
    unit->was_down = true;
    unit_enter(unit, unit->give_up ? UNIT_FAILED : UNIT_STOPPED);
    unit->give_up = false;
}

/* Without it the daemon does not get going. One that was ready once has a later fault. */
static bool is_first_start(const struct unit *unit)
{
    return unit->all->phase == PHASE_STARTING && unit->settings->essential && !unit->was_ready;
}

void unit_decide(struct unit *unit, const struct unit_end *end)
{
    struct policy_facts facts = {
        .end = end->end, .now = clock_monotonic(), .ready_since = unit->ready_since};
    struct policy_decision decision;
    char place[sizeof(struct crash)] = "";
    size_t length = strlen(unit->reason);

    unit->ready_since = 0;
    if (!unit->wanted || unit->all->phase >= PHASE_STOPPING) {
        unit_become_down(unit);
        return;
    }
    if (unit_is_to_restart(unit)) {
        log_about(end->event, end->told ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE,
                  "[%s] %s; it was about to restart", unit->name, unit->reason);
        unit_note_restart(unit, &unit->cause);
        unit_enter(unit, UNIT_WAITING);
        return;
    }
    (void)!getrandom(&facts.random, sizeof(facts.random), GRND_NONBLOCK);
    decision =
        is_first_start(unit) && end->end != POLICY_END_NEIGHBOUR
            ? (struct policy_decision){POLICY_FAILED, .reason = "not restarted: at the first "
                                                                "start reeved ends with it"}
            : policy_decide(unit->settings, &unit->history, &facts);
    if (end->crash)
        crash_describe(end->crash, place, sizeof(place));
    log_about(end->event,
              end->told && decision.verdict == POLICY_RESTART ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
              "[%s] %s; %s%s%s", unit->name, unit->reason, decision.reason, place[0] ? "; " : "",
              place);
    if (decision.verdict == POLICY_FAILED)
        log_about(LOG_EVENT_GIVE_UP, LOG_LEVEL_ERROR, "[%s] given up", unit->name);
    snprintf(unit->reason + length, sizeof(unit->reason) - length, "; %s", decision.reason);
    if (decision.verdict == POLICY_RESTART) {
        policy_record(&unit->history, &decision, facts.now);
        unit->restarts++;
        unit->starved = end->starved;
        unit_enter(unit, UNIT_BACKOFF);
        loop_timer_arm(unit->timer, decision.delay);
    } else {
        unit->give_up = true;
        unit_become_down(unit);
    }
}

/* The end of the reason says when it restarts. */
static void rewrite_restart(struct unit *unit, int64_t delay)
{
    static const char begin[] = "; restart";
    char *last = NULL, text[DURATION_TEXT_SIZE];

    for (char *next = unit->reason; (next = strstr(next, begin)); next++)
        last = next;
    if (last)
        snprintf(last, sizeof(unit->reason) - (size_t)(last - unit->reason), "%s %u in %s", begin,
                 unit->history.streak, duration_format(delay, text, sizeof(text)));
}

void unit_shorten_backoff(struct unit *unit)
{
    int64_t delay = policy_longest_delay(unit->settings, &unit->history);
    int64_t due = loop_timer_due(unit->timer);

    if (unit->state != UNIT_BACKOFF || due <= unit->state_since + delay)
        return;
    rewrite_restart(unit, delay / NSEC_PER_MSEC * NSEC_PER_MSEC);
    log_info("[%s] new settings: %s", unit->name, unit->reason);
    loop_timer_arm(unit->timer, MAX(unit->state_since + delay - clock_monotonic(), INT64_C(0)));
    units_changed(unit->all);
}

/* Notes that its next start is a restart for this cause. */
void unit_note_restart(struct unit *unit, const struct cause *cause)
{
    unit->revived = unit->revived || cause->kind == CAUSE_OPERATOR;
    if (cause->kind != CAUSE_NONE && (unit->starts > 0 || unit->next_restart.kind != CAUSE_NONE))
        restart_note(&unit->next_restart, cause->kind, cause->text, NULL);
}

/* The table --------------------------------------------------------------- */

static unit_action *const transitions[][UNIT_EVENT_COUNT] = {
    [UNIT_STOPPED] =
        {
            [UNIT_EVENT_CHECK] = unit_act_check,
            [UNIT_EVENT_START] = unit_act_want,
            [UNIT_EVENT_RELOAD] = unit_act_want,
        },
    [UNIT_CHECKING] =
        {
            [UNIT_EVENT_HOST_UP] = unit_act_send_check,
            [UNIT_EVENT_CHECKED] = unit_act_checked,
            [UNIT_EVENT_MODULE_FAILED] = unit_act_check_failed,
            [UNIT_EVENT_HOST_ENDED] = unit_act_check_failed,
            [UNIT_EVENT_STOP] = unit_act_stop_check,
            [UNIT_EVENT_TIMEOUT] = unit_act_check_late,
        },
    [UNIT_WAITING] =
        {
            [UNIT_EVENT_PROCEED] = unit_act_launch,
            [UNIT_EVENT_STOP] = unit_act_stop_waiting,
            [UNIT_EVENT_HOST_ENDED] = unit_act_host_ended,
        },
    [UNIT_STARTING] =
        {
            [UNIT_EVENT_HOST_UP] = unit_act_send_start,
            [UNIT_EVENT_READY] = unit_act_ready,
            [UNIT_EVENT_MODULE_FAILED] = unit_act_start_failed,
            [UNIT_EVENT_HOST_ENDED] = unit_act_host_ended,
            [UNIT_EVENT_STOP] = unit_act_stop,
            [UNIT_EVENT_RELOAD] = unit_act_reload_restart,
            [UNIT_EVENT_TIMEOUT] = unit_act_start_late,
        },
    [UNIT_READY] =
        {
            [UNIT_EVENT_MODULE_FAILED] = unit_act_gave_up,
            [UNIT_EVENT_HOST_ENDED] = unit_act_host_ended,
            [UNIT_EVENT_STOP] = unit_act_stop,
            [UNIT_EVENT_RELOAD] = unit_act_reload,
            [UNIT_EVENT_DEFERRED] = unit_act_deferred,
            [UNIT_EVENT_RELOADING] = unit_act_reloading,
            [UNIT_EVENT_RELOADED] = unit_act_reloaded,
            [UNIT_EVENT_TIMEOUT] = unit_act_reload_late,
        },
    [UNIT_STOPPING] =
        {
            [UNIT_EVENT_START] = unit_act_want_later,
            [UNIT_EVENT_RELOAD] = unit_act_want_later,
            [UNIT_EVENT_MODULE_STOPPED] = unit_act_stopped,
            [UNIT_EVENT_HOST_ENDED] = unit_act_host_ended_stopping,
            [UNIT_EVENT_TIMEOUT] = unit_act_stop_late,
        },
    [UNIT_BACKOFF] =
        {
            [UNIT_EVENT_START] = unit_act_want,
            [UNIT_EVENT_STOP] = unit_act_rest,
            [UNIT_EVENT_RELOAD] = unit_act_want,
            [UNIT_EVENT_TIMEOUT] = unit_act_retry,
        },
    [UNIT_FAILED] =
        {
            [UNIT_EVENT_START] = unit_act_want,
            [UNIT_EVENT_STOP] = unit_act_rest,
            [UNIT_EVENT_RELOAD] = unit_act_want,
        },
};
_Static_assert(ARRAY_SIZE(transitions) == UNIT_STATE_COUNT, "every state has its row");

void unit_handle(struct unit *unit, enum unit_event event, const struct unit_input *input)
{
    unit_action *action = transitions[unit->state][event];

    if (action)
        action(unit, input);
}
