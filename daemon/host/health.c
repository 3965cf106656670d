/* SPDX-License-Identifier: MIT */
/*
 * Asking a module how it is. health() is code of the module like any other, and may wait for a server that
 * has died: it gets until it would be asked again, and past the grace it hangs as a run does. What is under way
 * is in the record, so that the supervisor sees an answer that is overdue.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "daemon/host/log_sink.h"
#include "daemon/host/module_life_internal.h"
#include "daemon/host/overdue.h"
#include "daemon/wire/health.h"

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

static int call(struct host_module *module, struct rv_context *ctx)
{
    struct overdue overdue = {
        .ctx = ctx,
        .slot = module->slot,
        .name = HEALTH_ACTIVITY,
        .number = ++module->health_asked,
        .grace = module_grace(),
    };
    int r;

    note_begin(module);
    overdue_begin(&overdue);
    rv_error_clear();
    r = module->code.module.health(ctx, module->bound.state);
    overdue_end(&overdue);
    return r;
}

static int ask(struct rv_context *ctx, void *arg)
{
    char text[RV_ERROR_TEXT_SIZE] = "", limit[DURATION_TEXT_SIZE];
    struct host_module *module = arg;
    struct rv_context *timed;
    int r = rv_context_with_timeout(ctx, HEALTH_INTERVAL, &timed);

    if (r < 0) {
        host_log(module->root, RV_LOG_WARNING, "health() is not asked: no memory");
        return 0;
    }
    r = call(module, timed);
    if (r < 0)
        string_copy(text, sizeof(text), life_error_text(r));
    /* "Connection timed out" would send people looking for a connection. */
    if (r == -ETIMEDOUT && rv_context_err(timed) == -ETIMEDOUT && rv_error_text()[0] == '\0')
        snprintf(text, sizeof(text), "health() was not done within %s",
                 duration_format(HEALTH_INTERVAL, limit, sizeof(limit)));
    note_end(module, MIN(r, 0), rv_context_err(ctx) == 0 ? text : NULL);
    rv_context_cancel(timed, 0, "health() has returned");
    rv_context_unref(timed);
    return 0;
}

int life_start_health(struct host_module *module)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = HEALTH_INTERVAL};

    return module->code.module.health
               ? rv_periodic_start(module->tasks, &spec, ask, module, &module->health)
               : 0;
}

void life_stop_health(struct host_module *module)
{
    if (module->health)
        rv_periodic_stop(module->health);
    module->health = NULL;
}
