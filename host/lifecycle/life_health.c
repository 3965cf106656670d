/* SPDX-License-Identifier: MIT */
/*
 * Asking a module how it is. health() is code of the module like any other, and may wait for a
 * server that has died: it gets until it would be asked again, and past the grace it hangs as a run
 * does. A call that is under way is in the record, so that the supervisor sees an answer that is
 * overdue. It is asked on a thread of its own, as the module may use all others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "host/lifecycle/life_internal.h"
#include "host/module/call.h"
#include "host/module/module.h"
#include "host/report/log_sink.h"
#include "host/sandbox/sandbox.h"
#include "wire/health.h"
#include "wire/scoreboard.h"

/* Before what has failed is asked again; it doubles. */
#define FIRST_PAUSE (100 * RV_MILLISECOND)

static void (*health_told)(int code, const char *text);

void life_set_health_told(void (*told)(int code, const char *text))
{
    health_told = told;
}

static void note_begin(struct host_module *module)
{
    struct scoreboard_module *record = module->record;

    pthread_mutex_lock(&module->record_lock);
    scoreboard_write_begin(record);
    record->busy_since = rv_now();
    string_copy(record->activity, sizeof(record->activity), HEALTH_ACTIVITY);
    scoreboard_write_end(record);
    pthread_mutex_unlock(&module->record_lock);
}

/* text NULL: it has given no answer that counts. */
static void note_end(struct host_module *module, int code, const char *text)
{
    struct scoreboard_module *record = module->record;

    pthread_mutex_lock(&module->record_lock);
    scoreboard_write_begin(record);
    record->busy_since = 0;
    record->activity[0] = '\0';
    if (text) {
        record->health_code = code;
        record->health_at = rv_now();
        string_copy(record->health_text, sizeof(record->health_text), text);
    }
    scoreboard_write_end(record);
    pthread_mutex_unlock(&module->record_lock);
}

static int ask(struct host_module *module, struct rv_context *ctx)
{
    struct call call = {
        .ctx = ctx,
        .slot = module->slot,
        .name = HEALTH_ACTIVITY,
        .number = ++module->health_asked,
        .grace = module_grace(),
    };
    int r;

    note_begin(module);
    call_begin(&call);
    r = module->code.module.health(ctx, module->bound.state);
    call_end(&call);
    return r;
}

static int call_limited(struct host_module *module)
{
    char text[RV_ERROR_TEXT_SIZE] = "", limit[DURATION_TEXT_SIZE];
    struct rv_cancel *cancel;
    struct rv_context *timed;
    int r = rv_context_with_timeout(module->tasks, HEALTH_INTERVAL, &timed, &cancel);

    if (r < 0) {
        note_end(module, r, "there is no memory to ask health()");
        return r;
    }
    r = ask(module, timed);
    if (r < 0)
        string_copy(text, sizeof(text), life_error_text(r));
    /* "Connection timed out" would send people looking for a connection. */
    if (r == -ETIMEDOUT && rv_context_err(timed) == -ETIMEDOUT && rv_error_text(r)[0] == '\0')
        snprintf(text, sizeof(text), "health() was not done within %s",
                 duration_format(HEALTH_INTERVAL, limit, sizeof(limit)));
    note_end(module, MIN(r, 0), rv_context_err(module->tasks) == 0 ? text : NULL);
    if (health_told && rv_context_err(module->tasks) == 0)
        health_told(MIN(r, 0), text);
    rv_context_cancel(cancel, 0, "health() has returned");
    rv_context_unref(timed);
    return r;
}

/* On the grid of the interval. A health() that fails is asked again sooner at first: at a start,
 * say, it is often a connection that is not there yet. */
static int ask_always(struct rv_context *ctx _unused_, void *arg)
{
    struct host_module *module = arg;
    rv_time next = rv_now(), now;
    rv_duration soon = FIRST_PAUSE;

    if (module_wait_for_gate(module) < 0)
        return 0;
    do {
        bool failed = call_limited(module) < 0;

        now = rv_now();
        while (next <= now)
            next += HEALTH_INTERVAL;
        if (failed) {
            next = MIN(next, now + soon);
            soon = MIN(soon * 2, HEALTH_INTERVAL);
        } else {
            soon = FIRST_PAUSE;
        }
    } while (rv_sleep(module->tasks, next - now) == 0);
    return 0;
}

int life_start_health(struct host_module *module)
{
    int r;

    if (!module->code.module.health)
        return 0;
    r = rv_group_create(rv_context_background(), &module->health);
    if (r == 0)
        r = rv_group_go(module->health, ask_always, module);
    return r < 0 ? sandbox_explain_want(rv_fail(r, "no thread to ask health()")) : 0;
}

void life_stop_health(struct host_module *module)
{
    if (module->health) {
        (void)!rv_group_wait(module->health);
        rv_group_destroy(module->health);
    }
    module->health = NULL;
}
