/* SPDX-License-Identifier: MIT */
/*
 * A reload: work under way ends, options are exchanged in the state where it lies, and the tasks and
 * pools begin again with their new settings.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/host/module_life_internal.h"

static void tell_reloaded(struct host_module *module, int code, const char *text)
{
    struct wire_message message = {
        .type = WIRE_RELOADED, .module = module->slot, .code = code, .text = text};

    module_emit(&message);
}

/* The live state keeps its address, as the module may; only what options are bound to changes. */
static int exchange_options(struct host_module *module, struct bound_options *fresh)
{
    struct bound_options old = module->bound;
    void *state = old.state;
    int r;

    options_copy(&module->code, fresh, state);
    module_begin_activity(module, "reload");
    rv_error_clear();
    r = module->code.module.reload(module->root, state);
    module_end_activity(module);
    /* The old strings may go now; the old state block stays, with the new strings. */
    old.state = fresh->state;
    module->bound = *fresh;
    module->bound.state = state;
    options_free(&old);
    return MIN(r, 0);
}

/* Waits until no run or job is in flight, however long that takes: whoever set a time for it sends a
 * STOP when that is over, and then the work that is left is the stop's. Returns false in that case. */
static bool pause_work(struct host_module *module)
{
    struct module_op pause = {
        .drain = RV_FOREVER, .stall = RV_FOREVER, .drain_queue = true, .cause = "reload"};
    struct rv_context *ctx;
    bool ended;

    if (rv_context_with_cancel(module->root, &ctx) < 0)
        return false;
    pthread_mutex_lock(&module->lock);
    module->pause = ctx;
    if (module->stop_asked)
        rv_context_cancel(ctx, -ECANCELED, NULL);
    pthread_mutex_unlock(&module->lock);
    ended = rv_context_err(ctx) == 0 && life_drain(ctx, module, &pause);
    pthread_mutex_lock(&module->lock);
    module->pause = NULL;
    pthread_mutex_unlock(&module->lock);
    rv_context_unref(ctx);
    if (ended)
        life_end_runners(module, &pause);
    return ended;
}

void life_reload(struct host_module *module, const struct module_op *op)
{
    struct bound_options fresh;
    char text[RV_ERROR_TEXT_SIZE];
    int r;

    if (!module->task_runners || !module->code.module.reload) {
        tell_reloaded(module, -EOPNOTSUPP, "");
        return;
    }
    r = options_bind(&module->code, &op->lines, life_tell_option_error, module, &fresh);
    if (r != 0) {
        tell_reloaded(module, r < 0 ? r : -EINVAL, "its options are wrong");
        return;
    }
    if (!pause_work(module)) {
        options_free(&fresh);
        tell_reloaded(module, -ECANCELED, "a stop came before the work under way had ended");
        return;
    }
    r = exchange_options(module, &fresh);
    string_copy(text, sizeof(text), r < 0 ? life_error_text(r) : "");
    if (r == 0) {
        r = life_create_runners(module);
        string_copy(text, sizeof(text), r < 0 ? life_error_text(r) : "");
    }
    if (r == 0) {
        life_start_health(module);
        life_make_ready(module);
    } else {
        life_call_fini(module);
        options_free(&module->bound);
    }
    life_set_state(module, r == 0 ? SCOREBOARD_MODULE_READY : SCOREBOARD_MODULE_STOPPED);
    tell_reloaded(module, r, text);
}
