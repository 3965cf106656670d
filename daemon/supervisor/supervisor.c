/* SPDX-License-Identifier: MIT */
/*
 * The life of the whole: phases, and the settling after every change.
 *
 * Whatever happens to a unit only marks the supervisor as changed; in the next turn of the loop
 * settle() looks at all units and takes each step that has become possible: proceed with a start,
 * stop the next in the order, finish a phase. So every step is decided in one place and on a
 * consistent picture, never in the middle of a callback.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/cgroup.h"
#include "daemon/supervisor/check.h"
#include "daemon/supervisor/host_stops.h"
#include "daemon/supervisor/ledger.h"
#include "daemon/supervisor/roll.h"
#include "daemon/supervisor/stray.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/symbols.h"
#include "daemon/supervisor/tenancy.h"
#include "daemon/supervisor/tree.h"
#include "daemon/supervisor/unit.h"
#include "daemon/supervisor/watch.h"

void supervisor_notify(struct supervisor *supervisor, enum supervisor_event event)
{
    /* What is told is new: a snapshot that was taken for a probe a moment ago does not have it. */
    supervisor->generation++;
    supervisor->observer(event, supervisor->arg);
}

void supervisor_changed(struct supervisor *supervisor)
{
    supervisor->generation++;
    loop_timer_arm(supervisor->settle_timer, 0);
}

void supervisor_fail(struct supervisor *supervisor, const char *text)
{
    struct cause cause = {.code = -ECANCELED};

    string_copy(cause.text, sizeof(cause.text), text);
    if (supervisor->phase < PHASE_DRAINING)
        supervisor->exit_code = 1;
    supervisor_stop(supervisor, &cause);
}

static bool is_running_phase(enum phase phase)
{
    return phase == PHASE_STARTING || phase == PHASE_RUNNING;
}

/* An essential module that fails at the first start ends the daemon; later on-failed decides. */
static void unit_fell(struct unit *unit)
{
    struct supervisor *supervisor = unit->supervisor;
    char text[CAUSE_TEXT_SIZE];

    if (supervisor->phase == PHASE_STARTING && unit->settings->essential)
        snprintf(text, sizeof(text), "essential module %s could not start: %.120s", unit->name,
                 unit->reason);
    else if (supervisor->phase == PHASE_RUNNING && unit->state == UNIT_FAILED &&
             unit->settings->on_failed == CONFIG_ON_FAILED_EXIT)
        snprintf(text, sizeof(text), "module %s failed and on-failed = exit: %.100s", unit->name,
                 unit->reason);
    else
        return;
    log_error("reeved ends: %s", text);
    supervisor_fail(supervisor, text);
}

void supervisor_unit_changed(struct unit *unit, enum unit_state before)
{
    struct supervisor *supervisor = unit->supervisor;

    if (before == UNIT_READY && supervisor->phase < PHASE_STOPPING)
        tree_restart_requirers(unit);
    if (unit->state == UNIT_FAILED || unit->state == UNIT_BACKOFF)
        unit_fell(unit);
    supervisor_changed(supervisor);
}

/* Settling ------------------------------------------------------------------------------------- */

/* All modules have been asked about their options: either nothing starts, or everything. */
static void finish_checking(struct supervisor *supervisor)
{
    char text[CAUSE_TEXT_SIZE];
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (unit->state == UNIT_CHECKING)
            return;
    if (!config_errors_any(&supervisor->check_errors)) {
        supervisor->phase = PHASE_STARTING;
        return;
    }
    for (size_t i = 0; i < supervisor->check_errors.texts.count; i++)
        log_error("%s", supervisor->check_errors.texts.items[i]);
    snprintf(text, sizeof(text), "the configuration has errors: %.150s",
             supervisor->check_errors.texts.count > 0 ? supervisor->check_errors.texts.items[0]
                                                      : "out of memory");
    supervisor_fail(supervisor, text);
}

static void start_next(struct supervisor *supervisor)
{
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (unit->state == UNIT_WAITING && tree_may_start(unit))
            unit_handle(unit, UNIT_EVENT_PROCEED, NULL);
}

static void finish_starting(struct supervisor *supervisor)
{
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (unit->settings->essential && unit->state != UNIT_READY)
            return;
    supervisor->phase = PHASE_RUNNING;
    log_notice("started");
    supervisor_notify(supervisor, SUPERVISOR_STARTED);
}

static void stop_next(struct supervisor *supervisor)
{
    struct unit_input input = {.cause = &supervisor->cause};
    struct tenancy *tenancy;
    struct unit *unit;
    bool all_down = true;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (!unit_is_down(unit)) {
            all_down = false;
            unit->wanted = false;
            if (unit->state != UNIT_STOPPING && tree_may_stop(unit))
                unit_handle(unit, UNIT_EVENT_STOP, &input);
        }
    LIST_FOREACH (tenancy, &supervisor->tenancies, list)
        all_down = all_down && host_state(tenancy->host) == HOST_ABSENT;
    if (!all_down)
        return;
    supervisor->phase = PHASE_STOPPED;
    loop_timer_disarm(supervisor->stop_timer);
    stray_kill_all();
    supervisor_notify(supervisor, SUPERVISOR_STOPPED);
}

static void remove_gone(struct supervisor *supervisor)
{
    struct unit *unit, *next, *heir;

    LIST_FOREACH_SAFE (unit, next, &supervisor->units, list)
        if (unit->removed && unit_is_down(unit) && !unit->attached) {
            requests_host_ended(&supervisor->requests, unit, "it was removed");
            operate_forget(unit);
            /* One that moved to another host goes on there. */
            heir = supervisor_find(supervisor, unit->name);
            if (heir)
                tally_absorb(&heir->tally, &unit->tally);
            log_info("[%s] removed", unit->name);
            unit_destroy(unit);
        }
}

static void settle(void *arg)
{
    struct supervisor *supervisor = arg;

    remove_gone(supervisor);
    if (supervisor->phase == PHASE_CHECKING)
        finish_checking(supervisor);
    if (is_running_phase(supervisor->phase)) {
        operate_settle(supervisor);
        start_next(supervisor);
    }
    if (supervisor->phase == PHASE_STARTING)
        finish_starting(supervisor);
    if (supervisor->phase == PHASE_STOPPING)
        stop_next(supervisor);
    roll_settle(supervisor);
    reload_settle(supervisor);
    watch_update(supervisor->watch);
    supervisor_notify(supervisor, SUPERVISOR_CHANGED);
}

/* One was stopped or continued by a signal. */
static void hosts_changed(void *arg)
{
    supervisor_changed(arg);
}

/* Starting and stopping ------------------------------------------------------------------------ */

void supervisor_start(struct supervisor *supervisor)
{
    struct unit *unit;

    supervisor->started_at = clock_monotonic();
    LIST_FOREACH (unit, &supervisor->units, list)
        unit_handle(unit, UNIT_EVENT_CHECK, NULL);
    supervisor_changed(supervisor);
}

/* Of drain-delay, after which modules are stopped; then of shutdown-timeout. */
static void stop_timer_expired(void *arg)
{
    struct supervisor *supervisor = arg;

    if (supervisor->phase == PHASE_DRAINING) {
        supervisor->phase = PHASE_STOPPING;
        loop_timer_arm(supervisor->stop_timer, supervisor->config->shutdown_timeout);
        supervisor_changed(supervisor);
    } else if (supervisor->phase == PHASE_STOPPING) {
        log_error("not stopped within shutdown-timeout: what is left is killed");
        supervisor_kill(supervisor);
    }
}

void supervisor_stop(struct supervisor *supervisor, const struct cause *cause)
{
    bool was_running = supervisor->phase == PHASE_RUNNING;

    if (supervisor->phase >= PHASE_DRAINING)
        return;
    log_notice("stopping: %s", cause->text);
    supervisor->cause = *cause;
    /* It may quote a reason, cut within a character. */
    text_sanitise(supervisor->cause.text);
    supervisor->phase = PHASE_DRAINING;
    operations_finish(&supervisor->operations);
    supervisor_notify(supervisor, SUPERVISOR_DRAINING);
    /* Nobody was sent here yet by a load balancer when the start was never complete. */
    loop_timer_arm(supervisor->stop_timer, was_running ? supervisor->config->drain_delay : 0);
    supervisor_changed(supervisor);
}

void supervisor_kill(struct supervisor *supervisor)
{
    struct tenancy *tenancy;

    /* During the drain-delay modules still run, and one whose host dies would be restarted. */
    if (supervisor->phase == PHASE_DRAINING) {
        supervisor->phase = PHASE_STOPPING;
        loop_timer_arm(supervisor->stop_timer, supervisor->config->shutdown_timeout);
        supervisor_changed(supervisor);
    }
    LIST_FOREACH (tenancy, &supervisor->tenancies, list)
        host_kill(tenancy->host, "killed by the supervisor: %s",
                  supervisor->cause.text[0] ? supervisor->cause.text : "it ends");
}

/* The record ----------------------------------------------------------------------------------- */

int supervisor_create(struct loop *loop, const struct supervisor_options *options,
                      struct config *config, struct supervisor **ret_supervisor)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    int r;

    if (!supervisor) {
        config_free(config);
        return -ENOMEM;
    }
    *supervisor = (struct supervisor){
        .loop = loop,
        .config_path = options->config_path,
        .host_program = options->host_program,
        .places = options->places,
        .observer = options->observer,
        .arg = options->arg,
        .config = config,
    };
    list_init(&supervisor->units);
    list_init(&supervisor->tenancies);
    list_init(&supervisor->waiters);
    list_init(&supervisor->next_waiters);
    requests_init(&supervisor->requests);
    operations_init(&supervisor->operations);
    plans_init(&supervisor->plans);
    r = loop_timer_create(loop, settle, supervisor, &supervisor->settle_timer);
    if (r == 0)
        r = loop_timer_create(loop, stop_timer_expired, supervisor, &supervisor->stop_timer);
    if (r == 0)
        r = spawner_create(loop, &supervisor->spawner);
    if (r == 0)
        r = host_stops_create(loop, hosts_changed, supervisor, &supervisor->host_stops);
    if (r == 0)
        r = watch_create(supervisor, &supervisor->watch);
    if (r == 0)
        r = ledger_create(loop, options->places.state, &supervisor->ledger);
    if (r == 0)
        r = symbols_create(supervisor, &supervisor->symbols);
    if (r == 0)
        r = stray_start(loop);
    if (r == 0)
        r = cgroups_start(loop, options->successor);
    for (size_t i = 0; r == 0 && i < config->module_count; i++) {
        struct unit *unit;

        r = unit_create(supervisor, config, config->modules[i], &unit);
    }
    if (r < 0) {
        supervisor_destroy(supervisor);
        return r;
    }
    *ret_supervisor = supervisor;
    return 0;
}

void supervisor_answer_all(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    requests_finish(&supervisor->requests);
    operations_finish(&supervisor->operations);
    plans_finish(&supervisor->plans);
    reload_finish(supervisor);
}

void supervisor_destroy(struct supervisor *supervisor)
{
    struct unit *unit, *next;

    if (!supervisor)
        return;
    supervisor_answer_all(supervisor);
    LIST_FOREACH_SAFE (unit, next, &supervisor->units, list)
        unit_destroy(unit);
    symbols_destroy(supervisor->symbols);
    stray_stop();
    cgroups_stop();
    watch_destroy(supervisor->watch);
    host_stops_destroy(supervisor->host_stops);
    ledger_destroy(supervisor->ledger);
    spawner_destroy(supervisor->spawner);
    loop_timer_destroy(supervisor->settle_timer);
    loop_timer_destroy(supervisor->stop_timer);
    config_errors_free(&supervisor->check_errors);
    config_free(supervisor->config);
    free(supervisor);
}

enum phase supervisor_phase(const struct supervisor *supervisor)
{
    return supervisor->phase;
}

const struct cause *supervisor_cause(const struct supervisor *supervisor)
{
    return &supervisor->cause;
}

int supervisor_exit_code(const struct supervisor *supervisor)
{
    return supervisor->exit_code;
}

const struct config *supervisor_config(const struct supervisor *supervisor)
{
    return supervisor->config;
}

struct requests *supervisor_requests(struct supervisor *supervisor)
{
    return &supervisor->requests;
}

struct unit *supervisor_find(struct supervisor *supervisor, const char *name)
{
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (!unit->removed && strcmp(unit->name, name) == 0)
            return unit;
    return NULL;
}

void supervisor_option_error(struct unit *unit, const struct wire_message *message)
{
    struct config_errors *errors = &unit->supervisor->check_errors;

    check_add_option_error(errors, unit->settings, message);
    /* Past the first check there is nobody to collect for. */
    if (unit->state != UNIT_CHECKING && errors->texts.count > 0)
        log_error("%s", errors->texts.items[errors->texts.count - 1]);
}
