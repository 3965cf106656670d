/* SPDX-License-Identifier: MIT */
#include "daemon/control/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/control/awaited.h"
#include "daemon/control/reload_changes.h"
#include "daemon/control/zone_watch.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/check.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "settings/errors.h"

/* Somebody who waits for a reload to end. */
struct reload_waiter {
    struct list list;
    reload_fn done;
    void *arg;
};

/* Ending ------------------------------------------------------------------ */

/* Errors are found before anything is touched, or after, by a module that does not get going. */
static bool is_applied(const struct reload *reload)
{
    return reload->config && reload->config == reload->units->config;
}

static void tell_waiters(struct reload *reload, bool applied)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &reload->waiters, list) {
        list_remove(&waiter->list);
        if (waiter->done)
            waiter->done(&reload->errors.texts, &reload->notes, applied, waiter->arg);
        free(waiter);
    }
}

static void end(struct reload *reload)
{
    bool applied = is_applied(reload);

    for (size_t i = 0; i < reload->errors.texts.count; i++)
        log_error("%s", reload->errors.texts.items[i]);
    reload->counts.ended++;
    reload->counts.last_failed = config_errors_any(&reload->errors);
    reload->counts.failed += reload->counts.last_failed;
    string_copy(reload->counts.last_error, sizeof(reload->counts.last_error),
                reload->errors.texts.count > 0 ? reload->errors.texts.items[0] : "");
    text_sanitise(reload->counts.last_error);
    if (reload->counts.last_failed)
        log_error(applied ? "reload failed: the new configuration is in force, but not all works"
                          : "reload failed: the old configuration stays in force");
    else
        log_notice("reloaded");
    if (applied)
        units_forget_strangers(reload->units);
    config_free(TAKE_PTR(reload->config));
    reload->units->coming = 0;
    reload->under_way = false;
    tell_waiters(reload, applied);
    config_errors_free(&reload->errors);
    strings_free(&reload->notes);
    reload->told(false, reload->arg);
    units_changed(reload->units);
}

/* Those that asked during the reload before, or during the first check, wait for the next. */
static void promote_waiters(struct reload *reload)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &reload->next_waiters, list) {
        list_remove(&waiter->list);
        list_append(&reload->waiters, &waiter->list);
    }
}

/* The units that did not arrive, by name. A client that waits for an operation since has been told
 * there. */
static void add_errors(struct reload *reload)
{
    const struct awaited *awaited = reload->awaited;

    for (size_t i = 0; i < awaited->count; i++) {
        const struct awaited_item *item = &awaited->items[i];
        const struct config_module *settings = item->unit ? item->unit->settings : NULL;

        if (!item->settled)
            config_error(&reload->errors, settings->file, settings->line,
                         "[module:%s] is %s: reeved stops before the reload has ended",
                         settings->name, unit_state_words(item->unit->state));
        else if (item->code < 0 && settings)
            config_error(&reload->errors, settings->file, settings->line, "[module:%s] %s",
                         settings->name, item->text ? item->text : "did not come to rest");
    }
}

/* Without memory for it, status says so all the same. */
static void add_notes(struct reload *reload)
{
    struct unit *unit;

    LIST_FOREACH (unit, &reload->units->list, list)
        if (unit->deferred[0] != '\0')
            (void)strings_take(&reload->notes,
                               format_new("[module:%s] takes its new options when %s", unit->name,
                                          unit->deferred));
}

static void finish_if_settled(struct reload *reload)
{
    if (!awaited_is_over(reload->awaited) && reload->units->phase < PHASE_DRAINING)
        return;
    add_errors(reload);
    add_notes(reload);
    awaited_end(TAKE_PTR(reload->awaited));
    end(reload);
}

void reload_finish(struct reload *reload)
{
    check_cancel(TAKE_PTR(reload->check));
    awaited_end(TAKE_PTR(reload->awaited));
    promote_waiters(reload);
    if (!list_is_empty(&reload->waiters))
        config_error(&reload->errors, reload->units->config_path, 0, "not reloaded: reeved stops");
    tell_waiters(reload, is_applied(reload));
    config_errors_free(&reload->errors);
    config_free(TAKE_PTR(reload->config));
}

/* Beginning --------------------------------------------------------------- */

static void checked(void *arg)
{
    struct reload *reload = arg;

    reload->check = NULL;
    if (reload->units->phase >= PHASE_DRAINING)
        config_error(&reload->errors, reload->units->config_path, 0, "not reloaded: reeved stops");
    if (config_errors_any(&reload->errors)) {
        end(reload);
        return;
    }
    if (reload_apply(reload) < 0) {
        config_error(&reload->errors, reload->units->config_path, 0, "not reloaded: out of memory");
        end(reload);
        return;
    }
    units_changed(reload->units);
}

/* Without memory for it, it is given its options, and refuses. */
static void module_checked(const struct config_module *module, bool reloads, void *arg)
{
    struct reload *reload = arg;

    if (!reloads)
        (void)strings_add(&reload->steady, module->name);
}

static void tell_fixed(struct reload *reload)
{
    static const char text[] =
        "listen, control and max-connections change only with a restart of reeved";

    log_warning("%s", text);
    (void)strings_add(&reload->notes, text);
}

static bool needs_check(const struct config_module *module, void *arg)
{
    const struct reload *reload = arg;

    return reload_needs_check(reload->units, module);
}

static void start_check(struct reload *reload)
{
    struct check_options options = {
        .loop = reload->units->loop,
        .spawner = reload->units->spawner,
        .host_program = reload->units->host_program,
        .directory = reload->units->places.state,
        .wanted = needs_check,
        .checked = module_checked,
        .notes = &reload->notes,
        .done = checked,
        .arg = reload,
    };

    /* Saying so beats ignoring it. */
    if (reload_changes_fixed(reload->units->config, reload->config))
        tell_fixed(reload);
    if (check_start(&options, reload->config, &reload->errors, &reload->check) < 0) {
        config_error(&reload->errors, reload->units->config_path, 0, "not reloaded: out of memory");
        end(reload);
    }
}

/* The configuration of many modules takes milliseconds to read, and as long to compare: others have
 * their turn between. */
static void go_on(void *arg)
{
    struct reload *reload = arg;

    if (reload->units->phase >= PHASE_DRAINING) {
        config_error(&reload->errors, reload->units->config_path, 0, "not reloaded: reeved stops");
        end(reload);
        return;
    }
    if (reload->config) {
        start_check(reload);
        return;
    }
    reload->config =
        config_load(reload->units->config_path, &reload->units->places, &reload->errors);
    if (!reload->config) {
        end(reload);
        return;
    }
    reload->units->coming = reload->config->module_count;
    loop_timer_arm(reload->timer, 0);
}

static void begin(struct reload *reload)
{
    reload->under_way = true;
    zone_watch_tell(reload->zone_watch);
    strings_free(&reload->steady);
    reload->told(true, reload->arg);
    loop_timer_arm(reload->timer, 0);
}

static bool may_begin(const struct reload *reload)
{
    /* A host of another version could not be given new options. */
    return !reload->under_way && !reload->units->rolling && reload->units->phase > PHASE_CHECKING &&
           reload->units->phase < PHASE_DRAINING;
}

static void refuse(const struct reload *reload, reload_fn done, void *arg)
{
    struct config_errors errors = {0};

    config_error(&errors, reload->units->config_path, 0, "not reloaded: reeved stops");
    if (done)
        done(&errors.texts, &(struct strings){0}, false, arg);
    config_errors_free(&errors);
}

/* A client that still waits for an answer holds up the end of reeved. */
static void refuse_next(struct reload *reload)
{
    struct reload_waiter *waiter, *next;

    LIST_FOREACH_SAFE (waiter, next, &reload->next_waiters, list) {
        list_remove(&waiter->list);
        refuse(reload, waiter->done, waiter->arg);
        free(waiter);
    }
}

/* Nobody waits for a module that takes its time to be checked. */
static void give_up(struct reload *reload)
{
    if (reload->check) {
        check_cancel(TAKE_PTR(reload->check));
        checked(reload);
    }
    refuse_next(reload);
}

void reload_reconcile(struct reload *reload)
{
    if (reload->awaited)
        finish_if_settled(reload);
    if (reload->units->phase >= PHASE_DRAINING)
        give_up(reload);
    if (reload->again && may_begin(reload)) {
        reload->again = false;
        promote_waiters(reload);
        begin(reload);
    }
}

void reload_ask(struct reload *reload, reload_fn done, void *arg)
{
    struct reload_waiter *waiter;

    if (reload->units->phase >= PHASE_DRAINING) {
        refuse(reload, done, arg);
        return;
    }
    waiter = calloc(1, sizeof(*waiter));
    /* Without memory the reload happens all the same; only nobody hears of its end. */
    if (waiter) {
        *waiter = (struct reload_waiter){.done = done, .arg = arg};
        list_append(&reload->next_waiters, &waiter->list);
    }
    reload->again = true;
    units_changed(reload->units);
}

void reload_init(struct reload *reload, struct units *units, void (*told)(bool began, void *arg),
                 void *arg)
{
    reload->units = units;
    reload->told = told;
    reload->arg = arg;
    list_init(&reload->waiters);
    list_init(&reload->next_waiters);
}

int reload_prepare(struct reload *reload, struct zone_watch *zone_watch)
{
    reload->zone_watch = zone_watch;
    return loop_timer_create(reload->units->loop, go_on, reload, &reload->timer);
}

void reload_free(struct reload *reload)
{
    loop_timer_destroy(reload->timer);
    strings_free(&reload->notes);
    strings_free(&reload->steady);
}
