/* SPDX-License-Identifier: MIT */
/*
 * The life of the whole: phases, and the settling after every change.
 *
 * Every event of a unit only marks the supervisor as changed; in the next turn of the loop
 * supervisor_reconcile() looks at all units and takes each step that has become possible: proceed
 * with a start, stop the next in the order, finish a phase. So every step is decided in one place
 * and on a consistent picture, never in the middle of a callback.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/control/goal.h"
#include "daemon/control/rolling_replacement.h"
#include "daemon/control/sequence.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/watchdog.h"
#include "daemon/control/zone_watch.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/process/orphan.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/symbols.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"

/* A settling looks at all units: while many start or stop, the next waits for so many times what it
 * took, and takes all that has changed meanwhile. */
#define SETTLE_SHARE 4
#define REST_MAX     (2 * NSEC_PER_MSEC)

static void notify(struct supervisor *supervisor, enum supervisor_event event)
{
    /* An event is news: a snapshot that was taken for a probe a moment ago does not have it. */
    supervisor->units.generation++;
    supervisor->observer(event, supervisor->arg);
}

void supervisor_reload_told(bool began, void *arg)
{
    notify(arg, began ? SUPERVISOR_RELOADING : SUPERVISOR_RELOADED);
}

static void fail(struct supervisor *supervisor, const char *text)
{
    struct cause cause = {.code = -ECANCELED};

    string_copy(cause.text, sizeof(cause.text), text);
    if (supervisor->units.phase < PHASE_DRAINING)
        supervisor->exit_code = 1;
    supervisor_stop(supervisor, &cause);
}

/* Calls of the units ------------------------------------------------------ */

static void changed(void *arg)
{
    struct supervisor *supervisor = arg;

    supervisor->units.generation++;
    /* One that is due already keeps its place: where something changes all the time, it would else
     * never come. */
    if (loop_timer_due(supervisor->reconcile_timer) == 0)
        loop_timer_arm(supervisor->reconcile_timer, supervisor->rested_at - clock_monotonic());
}

/* An essential module that fails at the first start ends the daemon; later on-failed decides. */
static void unit_fell(struct supervisor *supervisor, struct unit *unit)
{
    char text[CAUSE_TEXT_SIZE];

    if (supervisor->units.phase != PHASE_STARTING && supervisor->units.phase != PHASE_RUNNING)
        return;
    /* It was to go, and nobody needs it any more. */
    if (unit->removed)
        return;
    if (supervisor->units.phase == PHASE_STARTING && unit->settings->essential && !unit->was_ready)
        snprintf(text, sizeof(text), "essential module %s could not start: %.120s", unit->name,
                 unit->reason);
    else if (unit->settings->on_failed == CONFIG_ON_FAILED_EXIT)
        snprintf(text, sizeof(text), "module %s failed and on-failed = exit: %.100s", unit->name,
                 unit->reason);
    else
        return;
    log_error("reeved ends: %s", text);
    fail(supervisor, text);
}

static void entered(struct unit *unit, enum unit_state before, void *arg)
{
    struct supervisor *supervisor = arg;

    sequence_note(&supervisor->sequence, unit);
    /* Nobody waits any more for a start that has failed. */
    if (before == UNIT_STARTING && unit->state == UNIT_BACKOFF)
        unit->rolled = false;
    if (unit->state == UNIT_BACKOFF || unit_is_down(unit))
        awaited_note(unit);
    if (unit->state == UNIT_FAILED)
        unit_fell(supervisor, unit);
    changed(supervisor);
}

static void expects(int64_t time, void *arg)
{
    struct supervisor *supervisor = arg;

    watchdog_expect(supervisor->watchdog, time);
}

static void condemn(struct tenancy *tenancy, const struct cause *cause, void *arg _unused_)
{
    goal_condemn(tenancy, cause, NULL);
}

/* The reload under way, if there is one, waits for it. */
static void restart(struct unit *unit, const struct cause *cause, void *arg)
{
    struct supervisor *supervisor = arg;

    goal_bounce(unit, cause, supervisor->reload.awaited);
}

static void fall(struct unit *unit, const struct cause *cause, void *arg)
{
    struct supervisor *supervisor = arg;

    goal_fall(unit, cause, supervisor->reload.awaited);
}

const struct units_owner supervisor_owner = {
    .changed = changed,
    .entered = entered,
    .expects = expects,
    .condemn = condemn,
    .restart = restart,
    .fall = fall,
};

/* Reconciling ------------------------------------------------------------- */

/* Nothing is wrong in the files; but an essential module that is lost already cannot start. */
static void finish_good_check(struct supervisor *supervisor)
{
    char text[CAUSE_TEXT_SIZE];
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (unit->state == UNIT_FAILED && unit->settings->essential) {
            snprintf(text, sizeof(text), "essential module %s %.120s", unit->name, unit->reason);
            log_error("reeved ends: %s", text);
            fail(supervisor, text);
            return;
        }
    supervisor->units.phase = PHASE_STARTING;
}

/* All modules have been asked about their options: either nothing starts, or everything. */
static void finish_checking(struct supervisor *supervisor)
{
    char text[CAUSE_TEXT_SIZE];
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (unit->state == UNIT_CHECKING)
            return;
    if (!config_errors_any(&supervisor->units.check_errors)) {
        finish_good_check(supervisor);
        return;
    }
    for (size_t i = 0; i < supervisor->units.check_errors.texts.count; i++)
        log_error("%s", supervisor->units.check_errors.texts.items[i]);
    snprintf(text, sizeof(text), "the configuration has errors: %.150s",
             supervisor->units.check_errors.texts.count > 0
                 ? supervisor->units.check_errors.texts.items[0]
                 : "out of memory");
    fail(supervisor, text);
}

/* One that a person has stopped, or that waits for such a one, is not waited for. Nothing else may
 * come between an essential module and its first start, or it would be waited for without an end.
 */
static bool is_started(struct supervisor *supervisor, struct unit *unit)
{
    const struct unit *culprit = NULL;
    char text[CAUSE_TEXT_SIZE];

    if (!unit->settings->essential || unit->was_ready || unit->removed)
        return true;
    if (unit->held)
        return unit_is_down(unit);
    /* One that is down was not essential when it fell. */
    if (!unit_is_down(unit) && (unit->state != UNIT_WAITING || unit->goal != GOAL_NONE ||
                                dependencies_wait(unit, &culprit) != WAIT_NEVER))
        return false;
    if (!unit_is_down(unit) && culprit && culprit->held)
        return true;
    snprintf(text, sizeof(text), "essential module %s could not start: it %s%.120s", unit->name,
             unit_is_down(unit) ? "is down: " : "", unit->reason);
    log_error("reeved ends: %s", text);
    fail(supervisor, text);
    return false;
}

static void finish_starting(struct supervisor *supervisor)
{
    bool all_started = true;
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (supervisor->units.phase == PHASE_STARTING && !is_started(supervisor, unit))
            all_started = false;
    if (!all_started)
        return;
    supervisor->units.phase = PHASE_RUNNING;
    LIST_FOREACH (unit, &supervisor->units.list, list)
        if (unit->settings->essential && !unit->was_ready)
            log_warning("[%s] is essential and was never ready: it is %s%s%s", unit->name,
                        unit_state_words(unit->state), unit->reason[0] ? ": " : "", unit->reason);
    log_notice("started");
    notify(supervisor, SUPERVISOR_STARTED);
}

static void finish_stopping(struct supervisor *supervisor)
{
    struct tenancy *tenancy;

    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
        if (host_state(tenancy->host) != HOST_ABSENT)
            return;
    loop_timer_disarm(supervisor->stop_timer);
    if (!symbols_finish(supervisor->units.symbols))
        return;
    supervisor->units.phase = PHASE_STOPPED;
    notify(supervisor, SUPERVISOR_STOPPED);
}

/* The counts of the module go on. */
static void inherit(struct unit *heir, const struct unit *unit)
{
    counters_absorb(&heir->counters, &unit->counters);
    heir->starts += unit->starts;
    heir->restarts += unit->restarts;
    heir->crashes += unit->crashes;
    heir->hangs += unit->hangs;
    heir->jobs_lost += unit->jobs_lost;
}

static void remove_gone(struct supervisor *supervisor)
{
    struct unit *unit, *next, *heir;

    if (supervisor->units.leaving == 0)
        return;
    LIST_FOREACH_SAFE (unit, next, &supervisor->units.list, list)
        if (unit->removed && unit_is_down(unit) && !unit->attached) {
            requests_host_ended(&supervisor->requests, unit, "it was removed");
            /* One that moved to another host goes on there. */
            heir = units_find(&supervisor->units, unit->name);
            if (heir)
                inherit(heir, unit);
            log_info("[%s] removed", unit->name);
            supervisor_remove_unit(supervisor, unit);
        }
}

/* Nothing starts before all is checked, nor after a stop, whatever that came from. But during the
 * drain-delay of a daemon that ran, modules are at work: one that dies then is started again. */
static bool may_begin(const struct supervisor *supervisor)
{
    return supervisor->units.phase == PHASE_STARTING || supervisor->units.phase == PHASE_RUNNING ||
           (supervisor->units.phase == PHASE_DRAINING && supervisor->ran);
}

void supervisor_reconcile(void *arg)
{
    struct supervisor *supervisor = arg;
    int64_t begun = clock_monotonic(), ended;

    remove_gone(supervisor);
    if (supervisor->units.phase == PHASE_CHECKING)
        finish_checking(supervisor);
    if (may_begin(supervisor)) {
        goals_reconcile(&supervisor->units);
        sequence_start(&supervisor->sequence);
    }
    if (supervisor->units.phase == PHASE_STARTING)
        finish_starting(supervisor);
    if (supervisor->units.phase == PHASE_STOPPING &&
        sequence_stop(&supervisor->sequence, &supervisor->cause))
        finish_stopping(supervisor);
    rolling_replacement_reconcile(&supervisor->units);
    awaited_reconcile(&supervisor->units);
    operate_reconcile(&supervisor->operations);
    reload_reconcile(&supervisor->reload);
    if (supervisor->units.phase >= PHASE_DRAINING)
        plans_finish(&supervisor->plans);
    watchdog_expect(supervisor->watchdog, 0);
    notify(supervisor, SUPERVISOR_CHANGED);
    ended = clock_monotonic();
    supervisor->rested_at = ended + MIN(SETTLE_SHARE * (ended - begun), REST_MAX);
}

/* One was stopped or continued by a signal, or there is room for another that starts or stops. */
void supervisor_hosts_changed(void *arg)
{
    changed(arg);
}

/* Starting and stopping --------------------------------------------------- */

void supervisor_start(struct supervisor *supervisor)
{
    struct unit *unit;

    supervisor->started_at = clock_monotonic();
    units_forget_strangers(&supervisor->units);
    LIST_FOREACH (unit, &supervisor->units.list, list)
        unit_handle(unit, UNIT_EVENT_CHECK, NULL);
    units_changed(&supervisor->units);
}

/* The drain-delay is over. */
static void stop_modules(struct supervisor *supervisor)
{
    supervisor->units.phase = PHASE_STOPPING;
    zone_watch_end(supervisor->zone_watch);
    loop_timer_arm(supervisor->stop_timer, supervisor->units.config->shutdown_timeout);
    units_changed(&supervisor->units);
}

/* Of drain-delay, after which modules are stopped; then of shutdown-timeout. */
void supervisor_stop_timer(void *arg)
{
    struct supervisor *supervisor = arg;

    if (supervisor->units.phase == PHASE_DRAINING) {
        stop_modules(supervisor);
    } else if (supervisor->units.phase == PHASE_STOPPING) {
        log_error("not stopped within shutdown-timeout: what is left is killed");
        supervisor_kill(supervisor);
    }
}

void supervisor_stop(struct supervisor *supervisor, const struct cause *cause)
{
    if (supervisor->units.phase >= PHASE_DRAINING)
        return;
    supervisor->ran = supervisor->units.phase == PHASE_RUNNING;
    log_notice("stopping: %s", cause->text);
    supervisor->cause = *cause;
    /* It may quote a reason, cut within a character. */
    text_clean(supervisor->cause.text, sizeof(supervisor->cause.text));
    supervisor->units.phase = PHASE_DRAINING;
    operations_finish(&supervisor->operations);
    notify(supervisor, SUPERVISOR_DRAINING);
    /* Nobody was sent here yet by a load balancer when the start was never complete. */
    loop_timer_arm(supervisor->stop_timer,
                   supervisor->ran ? supervisor->units.config->drain_delay : 0);
    units_changed(&supervisor->units);
}

void supervisor_kill(struct supervisor *supervisor)
{
    struct tenancy *tenancy;

    /* During the drain-delay modules still run, and one whose host dies would be restarted. */
    if (supervisor->units.phase == PHASE_DRAINING)
        stop_modules(supervisor);
    orphan_hurry();
    symbols_abandon(supervisor->units.symbols);
    units_changed(&supervisor->units);
    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
        host_kill(tenancy->host, "killed by the supervisor: %s",
                  supervisor->cause.text[0] ? supervisor->cause.text : "it ends");
}
