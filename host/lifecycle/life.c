/* SPDX-License-Identifier: MIT */
/*
 * Start, check and stop; a reload is in life_reload.c. Everything that a start made is undone in
 * reverse by a stop, and by a start that fails half way.
 */
#include "host/lifecycle/life_internal.h"
#include "host/report/event.h"

#include <errno.h>
#include <reeve/host.h>
#include <reeve/runtime.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/crash/frames.h"
#include "host/lifecycle/drain.h"
#include "host/load/loader.h"
#include "host/load/options.h"
#include "host/module/call.h"
#include "host/module/module.h"
#include "host/pool/jobs.h"
#include "host/pool/submit.h"
#include "host/report/board.h"
#include "host/report/log_sink.h"
#include "host/schedule/last_runs.h"
#include "host/task/task.h"
#include "wire/scoreboard.h"

void life_set_state(struct host_module *module, uint32_t state)
{
    pthread_mutex_lock(&module->record_lock);
    scoreboard_write_begin(module->record);
    module->record->state = state;
    scoreboard_write_end(module->record);
    pthread_mutex_unlock(&module->record_lock);
}

const char *life_error_text(int r)
{
    return rv_error_text(r)[0] ? rv_error_text(r) : strerror(-r);
}

static void tell_failed(struct host_module *module, const char *stage, int code, uint32_t flags,
                        const char *text)
{
    struct wire_message message = {.type = WIRE_FAILED,
                                   .module = module->slot,
                                   .flags = flags,
                                   .code = code,
                                   .name = stage,
                                   .text = text};

    event_send(&message);
}

static void emit_option_error(const struct option_error *error, void *arg)
{
    struct host_module *module = arg;
    struct wire_message message = {
        .type = WIRE_OPTION_ERROR,
        .module = module->slot,
        .flags =
            (error->unknown ? WIRE_OPTION_UNKNOWN_KEY : 0) | (error->past ? WIRE_OPTION_PAST : 0),
        .key = error->key,
        .value = error->nearest,
        .path = error->file,
        .line = error->line,
        .text = error->text,
    };

    event_send(&message);
}

void life_tell_option_error(const struct option_error *error, void *arg)
{
    struct host_module *module = arg;

    if (error->past)
        host_log(module->root, RV_LOG_WARNING, "%s:%u: %s", error->file, error->line, error->text);
    else
        emit_option_error(error, module);
}

/* The file at its path may be another one by now. */
static void tell_loaded(struct host_module *module)
{
    struct wire_message message = {.type = WIRE_LOADED,
                                   .module = module->slot,
                                   .flags =
                                       module->code.module.reentrant ? WIRE_LOADED_REENTRANT : 0,
                                   .device = module->code.file_id.device,
                                   .inode = module->code.file_id.inode,
                                   .mtime = module->code.file_id.mtime};

    event_send(&message);
}

/* Loads the code, once. Returns 0 or a negative errno with a text. */
static int load(struct host_module *module)
{
    int r;

    if (!module->loaded) {
        module_begin_activity(module, "load");
        r = loader_load(module->path, module->slot, &module->code);
        module_end_activity(module);
        if (r < 0)
            return r;
        module->loaded = true;
        frames_map_objects();
    }
    tell_loaded(module);
    return 0;
}

/* Whether another attempt to load, or to bind options, may go well, and where. */
static uint32_t failed_flags(int r)
{
    if (r == -EAGAIN || r == -ESTALE)
        return WIRE_FAILED_PROCESS;
    return r == -ENOMEM ? 0 : WIRE_FAILED_PERMANENT;
}

static void check(struct host_module *module, const struct module_op *op)
{
    struct wire_message message = {.type = WIRE_CHECKED, .module = module->slot};
    struct bound_options bound;
    int r = load(module);

    if (r < 0) {
        tell_failed(module, "load", r, failed_flags(r), life_error_text(r));
        return;
    }
    r = life_bind_options(module, &op->lines, emit_option_error, &bound);
    if (r < 0) {
        tell_failed(module, "options", r, 0, life_error_text(r));
        return;
    }
    if (r == 0)
        options_free(&bound);
    message.code = r;
    message.flags = (module->code.module.reload ? WIRE_CHECKED_RELOADS : 0) |
                    (module->code.module.reentrant ? WIRE_CHECKED_REENTRANT : 0);
    event_send(&message);
}

/* Starting ---------------------------------------------------------------- */

/* Returns false when a stop waits, which goes first. */
bool life_make_ready(struct host_module *module)
{
    bool may;

    pthread_mutex_lock(&module->lock);
    may = !module->stop_asked;
    module->ready = may;
    pthread_mutex_unlock(&module->lock);
    return may;
}

int life_begin_operation(struct host_module *module, bool replaceable, struct rv_context **ret_ctx)
{
    struct rv_cancel *cancel;
    int r = rv_context_with_cancel(module->root, ret_ctx, &cancel);

    if (r < 0)
        return r;
    pthread_mutex_lock(&module->lock);
    module->operation.cancel = cancel;
    module->operation.replaceable = replaceable;
    if (module->stop_asked || (replaceable && module->reload_queued))
        rv_context_cancel(cancel, -ECANCELED, "the module stops");
    pthread_mutex_unlock(&module->lock);
    return 0;
}

void life_end_operation(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    module->operation.cancel = NULL;
    pthread_mutex_unlock(&module->lock);
}

/* Its context ends with a STOP that comes meanwhile. */
static int call_init(struct host_module *module)
{
    int r;

    if (!module->code.module.init)
        return 0;
    r = life_begin_operation(module, false, &module->init);
    if (r < 0)
        return rv_fail(r, "a context for init()");
    module_begin_activity(module, "init");
    rv_error_clear();
    r = module->code.module.init(module->init, module->bound.state);
    module_end_activity(module);
    life_end_operation(module);
    if (r < 0)
        module->init = rv_context_unref(module->init);
    return MIN(r, 0);
}

static void call_fini(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    module->finishing = true;
    pthread_mutex_unlock(&module->lock);
    if (!module->code.module.fini)
        return;
    module_begin_activity(module, "fini");
    module->code.module.fini(module->bound.state);
    module_end_activity(module);
}

void life_finish(struct host_module *module)
{
    call_fini(module);
    module->init = rv_context_unref(module->init);
    module->reload = rv_context_unref(module->reload);
    options_free(&module->bound);
}

static int init_and_run(struct host_module *module, const char **ret_stage)
{
    int r;

    *ret_stage = "init";
    r = call_init(module);
    if (r < 0)
        return r;
    *ret_stage = "start";
    /* An error in the first runs is no failed start: none begins before the module is said to be
     * ready. */
    r = module_shut_gate(module, true);
    if (r < 0)
        rv_fail(r, "a start of its tasks");
    else
        r = life_create_runners(module);
    if (r < 0) {
        char text[RV_ERROR_TEXT_SIZE];

        string_copy(text, sizeof(text), rv_error_text(r));
        module_open_gate(module);
        call_fini(module);
        rv_fail_text(r, "%s", text);
    }
    return r;
}

/* The STOP that cancelled a start is answered by STOPPED, and that is all that is to be said. */
static bool is_cancelled(struct host_module *module)
{
    bool cancelled;

    pthread_mutex_lock(&module->lock);
    cancelled = module->stop_asked;
    pthread_mutex_unlock(&module->lock);
    return cancelled;
}

static void start(struct host_module *module, struct module_op *op)
{
    struct wire_message ready = {.type = WIRE_READY, .module = module->slot};
    const char *stage = "load";
    int r;

    life_set_state(module, SCOREBOARD_MODULE_LOADING);
    pthread_mutex_lock(&module->lock);
    module->announced = module->give_up.any = module->finishing = false;
    pthread_mutex_unlock(&module->lock);
    pthread_mutex_lock(&module->record_lock);
    board_begin_books(module->slot);
    pthread_mutex_unlock(&module->record_lock);
    last_runs_free(&module->last_runs);
    module->last_runs = op->last_runs;
    op->last_runs = (struct last_runs){0};
    r = load(module);
    if (r == 0) {
        stage = "options";
        r = life_bind_options(module, &op->lines, life_tell_option_error, &module->bound);
        if (r > 0) {
            tell_failed(module, stage, -EINVAL, WIRE_FAILED_PERMANENT, "its options are wrong");
            return;
        }
    }
    if (r < 0) {
        if (!is_cancelled(module))
            tell_failed(module, stage, r, failed_flags(r), life_error_text(r));
        return;
    }
    r = init_and_run(module, &stage);
    if (r < 0) {
        char text[RV_ERROR_TEXT_SIZE];

        string_copy(text, sizeof(text), life_error_text(r));
        module->init = rv_context_unref(module->init);
        options_free(&module->bound);
        if (!is_cancelled(module))
            tell_failed(module, stage, r, 0, text);
        return;
    }
    life_make_ready(module);
    life_set_state(module, SCOREBOARD_MODULE_READY);
    ready.text = module->code.module.version ? module->code.module.version : "";
    module_announce(module, &ready);
    module_open_gate(module);
}

/* Stopping ---------------------------------------------------------------- */

static void stop(struct host_module *module, const struct module_op *op)
{
    struct wire_message message = {.type = WIRE_STOPPED, .module = module->slot};

    if (module->task_runners) {
        life_set_state(module, SCOREBOARD_MODULE_STOPPING);
        life_begin_drain(module, op);
        drain_wait(module, op->drain, op->stall);
        life_end_runners(module, op);
        life_finish(module);
    }
    life_set_state(module, SCOREBOARD_MODULE_STOPPED);
    pthread_mutex_lock(&module->lock);
    module->stop_asked = false;
    pthread_mutex_unlock(&module->lock);
    message.number = module->lost;
    module->lost = 0;
    event_send(&message);
}

void life_do(struct host_module *module, struct module_op *op)
{
    switch (op->kind) {
    case MODULE_OP_START:
        start(module, op);
        break;
    case MODULE_OP_CHECK:
        check(module, op);
        break;
    case MODULE_OP_RELOAD:
        life_reload(module, op);
        break;
    case MODULE_OP_STOP:
        stop(module, op);
        break;
    case MODULE_OP_END:
        break;
    }
}

void life_install_hooks(void)
{
    rv_host_set_progress(call_progress);
    rv_host_set_submit(submit_own);
    rv_host_set_fail_option(life_fail_option);
}
