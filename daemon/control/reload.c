/* SPDX-License-Identifier: MIT */
/*
 * A reload: read everything, let the modules check what is new to them, and only then touch what
 * changed. Until the last check is good the old configuration is in force; after it the new one is,
 * whatever becomes of single modules.
 */
#include "daemon/control/reload.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/zone_watch.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/check.h"
#include "daemon/unit/unit.h"

/* Ending --------------------------------------------------------------------------------------- */

/* Errors are found before anything is touched, or after, by a module that does not get going. */
static bool is_applied(const struct supervisor *supervisor)
{
    return supervisor->new_config && supervisor->new_config == supervisor->config;
}

static void tell_waiters(struct supervisor *supervisor, bool applied)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &supervisor->waiters, list) {
        list_remove(&waiter->list);
        if (waiter->done)
            waiter->done(&supervisor->reload_errors.texts, &supervisor->reload_notes, applied,
                         waiter->arg);
        free(waiter);
    }
}

static void end(struct supervisor *supervisor)
{
    bool applied = is_applied(supervisor);

    for (size_t i = 0; i < supervisor->reload_errors.texts.count; i++)
        log_error("%s", supervisor->reload_errors.texts.items[i]);
    supervisor->reloads.ended++;
    supervisor->reloads.last_failed = config_errors_any(&supervisor->reload_errors);
    supervisor->reloads.failed += supervisor->reloads.last_failed;
    string_copy(supervisor->reloads.last_error, sizeof(supervisor->reloads.last_error),
                supervisor->reload_errors.texts.count > 0 ? supervisor->reload_errors.texts.items[0]
                                                          : "");
    text_sanitise(supervisor->reloads.last_error);
    if (supervisor->reloads.last_failed)
        log_error(applied ? "reload failed: the new configuration is in force, but not all works"
                          : "reload failed: the old configuration stays in force");
    else
        log_notice("reloaded");
    if (applied)
        supervisor_forget_strangers(supervisor);
    config_free(TAKE_PTR(supervisor->new_config));
    supervisor->reloading = false;
    tell_waiters(supervisor, applied);
    config_errors_free(&supervisor->reload_errors);
    strings_free(&supervisor->reload_notes);
    supervisor_notify(supervisor, SUPERVISOR_RELOADED);
    supervisor_changed(supervisor);
}

/* Those that asked during the reload before, or during the first check, wait for the next. */
static void promote_waiters(struct supervisor *supervisor)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &supervisor->next_waiters, list) {
        list_remove(&waiter->list);
        list_append(&supervisor->waiters, &waiter->list);
    }
}

/* What did not arrive, by name. Whatever waits for an operation since has been told there. */
static void add_errors(struct supervisor *supervisor)
{
    const struct awaited *awaited = supervisor->reload_awaited;

    for (size_t i = 0; i < awaited->count; i++) {
        const struct awaited_item *item = &awaited->items[i];
        const struct config_module *settings = item->unit ? item->unit->settings : NULL;

        if (!item->settled)
            config_error(&supervisor->reload_errors, settings->file, settings->line,
                         "[module:%s] is %s: reeved stops before the reload has ended",
                         settings->name, unit_state_words(item->unit->state));
        else if (item->code < 0 && settings)
            config_error(&supervisor->reload_errors, settings->file, settings->line,
                         "[module:%s] %s", settings->name,
                         item->text ? item->text : "did not come to rest");
    }
}

/* Without memory for it, status says so all the same. */
static void add_notes(struct supervisor *supervisor)
{
    struct unit *unit;

    LIST_FOREACH (unit, &supervisor->units, list)
        if (unit->deferred[0] != '\0')
            (void)strings_take(&supervisor->reload_notes,
                               format_new("[module:%s] takes its new options when %s", unit->name,
                                          unit->deferred));
}

static void finish_if_settled(struct supervisor *supervisor)
{
    if (!awaited_is_over(supervisor->reload_awaited) && supervisor->phase < PHASE_DRAINING)
        return;
    add_errors(supervisor);
    add_notes(supervisor);
    awaited_end(TAKE_PTR(supervisor->reload_awaited));
    end(supervisor);
}

void reload_finish(struct supervisor *supervisor)
{
    check_cancel(TAKE_PTR(supervisor->check));
    awaited_end(TAKE_PTR(supervisor->reload_awaited));
    promote_waiters(supervisor);
    if (!list_is_empty(&supervisor->waiters))
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: reeved stops");
    tell_waiters(supervisor, is_applied(supervisor));
    config_errors_free(&supervisor->reload_errors);
    config_free(TAKE_PTR(supervisor->new_config));
}

/* Beginning ------------------------------------------------------------------------------------ */

static void checked(void *arg)
{
    struct supervisor *supervisor = arg;

    supervisor->check = NULL;
    if (supervisor->phase >= PHASE_DRAINING)
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: reeved stops");
    if (config_errors_any(&supervisor->reload_errors)) {
        end(supervisor);
        return;
    }
    if (reload_apply(supervisor) < 0) {
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: out of memory");
        end(supervisor);
        return;
    }
    supervisor_changed(supervisor);
}

/* Without memory for it, it is given its options, and refuses. */
static void module_checked(const struct config_module *module, bool reloads, void *arg)
{
    struct supervisor *supervisor = arg;

    if (!reloads)
        (void)strings_add(&supervisor->steady, module->name);
}

static void tell_fixed(struct supervisor *supervisor)
{
    static const char text[] =
        "listen, control and max-connections change only with a restart of reeved";

    log_warning("%s", text);
    (void)strings_add(&supervisor->reload_notes, text);
}

static void start_check(struct supervisor *supervisor)
{
    struct check_options options = {
        .loop = supervisor->loop,
        .spawner = supervisor->spawner,
        .host_program = supervisor->host_program,
        .directory = supervisor->places.state,
        .wanted = reload_needs_check,
        .checked = module_checked,
        .notes = &supervisor->reload_notes,
        .done = checked,
        .arg = supervisor,
    };

    /* Saying so beats ignoring it. */
    if (reload_changes_fixed(supervisor->config, supervisor->new_config))
        tell_fixed(supervisor);
    if (check_start(&options, supervisor->new_config, &supervisor->reload_errors,
                    &supervisor->check) < 0) {
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: out of memory");
        end(supervisor);
    }
}

/* The configuration of many modules takes milliseconds to read, and as long to compare: others have their turn between. */
void reload_go_on(void *arg)
{
    struct supervisor *supervisor = arg;

    if (supervisor->phase >= PHASE_DRAINING) {
        config_error(&supervisor->reload_errors, supervisor->config_path, 0,
                     "not reloaded: reeved stops");
        end(supervisor);
        return;
    }
    if (supervisor->new_config) {
        start_check(supervisor);
        return;
    }
    supervisor->new_config =
        config_load(supervisor->config_path, &supervisor->places, &supervisor->reload_errors);
    if (supervisor->new_config)
        loop_timer_arm(supervisor->reload_timer, 0);
    else
        end(supervisor);
}

static void begin(struct supervisor *supervisor)
{
    supervisor->reloading = true;
    zone_watch_tell(supervisor);
    strings_free(&supervisor->steady);
    supervisor_notify(supervisor, SUPERVISOR_RELOADING);
    loop_timer_arm(supervisor->reload_timer, 0);
}

static bool may_begin(const struct supervisor *supervisor)
{
    /* A host of another version could not be given new options. */
    return !supervisor->reloading && !supervisor->rolling && supervisor->phase > PHASE_CHECKING &&
           supervisor->phase < PHASE_DRAINING;
}

static void refuse(const struct supervisor *supervisor, reload_fn done, void *arg)
{
    struct config_errors errors = {0};

    config_error(&errors, supervisor->config_path, 0, "not reloaded: reeved stops");
    if (done)
        done(&errors.texts, &(struct strings){0}, false, arg);
    config_errors_free(&errors);
}

/* Whoever still waits for an answer holds up the end of reeved. */
static void refuse_next(struct supervisor *supervisor)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &supervisor->next_waiters, list) {
        list_remove(&waiter->list);
        refuse(supervisor, waiter->done, waiter->arg);
        free(waiter);
    }
}

/* Nobody waits for a module that takes its time to be checked. */
static void give_up(struct supervisor *supervisor)
{
    if (supervisor->check) {
        check_cancel(TAKE_PTR(supervisor->check));
        checked(supervisor);
    }
    refuse_next(supervisor);
}

void reload_reconcile(struct supervisor *supervisor)
{
    if (supervisor->reload_awaited)
        finish_if_settled(supervisor);
    if (supervisor->phase >= PHASE_DRAINING)
        give_up(supervisor);
    if (supervisor->reload_again && may_begin(supervisor)) {
        supervisor->reload_again = false;
        promote_waiters(supervisor);
        begin(supervisor);
    }
}

void supervisor_reload(struct supervisor *supervisor, reload_fn done, void *arg)
{
    struct reload_waiter *waiter;

    if (supervisor->phase >= PHASE_DRAINING) {
        refuse(supervisor, done, arg);
        return;
    }
    waiter = calloc(1, sizeof(*waiter));
    /* Without memory the reload happens all the same; only nobody hears of its end. */
    if (waiter) {
        *waiter = (struct reload_waiter){.done = done, .arg = arg};
        list_append(&supervisor->next_waiters, &waiter->list);
    }
    supervisor->reload_again = true;
    supervisor_changed(supervisor);
}
