/* SPDX-License-Identifier: MIT */
#include "host/module/module_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/load/loader.h"
#include "host/load/options.h"
#include "host/process/alarm.h"
#include "host/report/board.h"
#include "host/report/event.h"
#include "host/schedule/last_runs.h"
#include "wire/scoreboard.h"

/* Beside them, for a STOP and an END. */
#define OPS_OF_THE_END 2

static _Atomic rv_duration host_grace = 5 * RV_SECOND;

void module_set_grace(rv_duration grace)
{
    host_grace = grace;
}

rv_duration module_grace(void)
{
    return host_grace;
}

static void tell_given_up(const struct host_module *module, const char *stage, int code,
                          const char *text)
{
    char whole[700];
    struct wire_message message = {
        .type = WIRE_FAILED, .module = module->slot, .code = code, .name = stage, .text = whole};

    snprintf(whole, sizeof(whole), "%s: %s", stage, text);
    event_send(&message);
}

void module_give_up(struct host_module *module, const char *stage, int code, const char *text)
{
    bool announced;

    pthread_mutex_lock(&module->lock);
    announced = module->announced;
    if (!announced && !module->give_up.any) {
        module->give_up.any = true;
        module->give_up.code = code;
        string_copy(module->give_up.stage, sizeof(module->give_up.stage), stage);
        string_copy(module->give_up.text, sizeof(module->give_up.text), text);
    }
    pthread_mutex_unlock(&module->lock);
    if (announced)
        tell_given_up(module, stage, code, text);
}

void module_announce(struct host_module *module, const struct wire_message *ready)
{
    bool failed;

    event_send(ready);
    pthread_mutex_lock(&module->lock);
    module->announced = true;
    failed = module->give_up.any;
    module->give_up.any = false;
    pthread_mutex_unlock(&module->lock);
    /* Nobody writes it any more. */
    if (failed)
        tell_given_up(module, module->give_up.stage, module->give_up.code, module->give_up.text);
}

void module_expect_stop(struct host_module *module, const char *cause)
{
    pthread_mutex_lock(&module->lock);
    module->ready = false;
    module->stop_asked = true;
    if (module->operation.cancel)
        rv_context_cancel(module->operation.cancel, -ECANCELED, "%s", cause);
    pthread_mutex_unlock(&module->lock);
}

/* The gate ---------------------------------------------------------------- */

int module_shut_gate(struct host_module *module, bool starting)
{
    struct rv_channel *gate;
    int r = rv_channel_create(1, 0, &gate);

    if (r < 0)
        return r;
    pthread_mutex_lock(&module->lock);
    module->gate = gate;
    module->starting = starting;
    pthread_mutex_unlock(&module->lock);
    return 0;
}

void module_open_gate(struct host_module *module)
{
    struct rv_channel *gate;

    pthread_mutex_lock(&module->lock);
    gate = module->gate;
    module->gate = NULL;
    module->starting = false;
    pthread_mutex_unlock(&module->lock);
    if (!gate)
        return;
    rv_channel_close(gate);
    rv_channel_unref(gate);
}

bool module_gate_is_shut(struct host_module *module)
{
    bool shut;

    pthread_mutex_lock(&module->lock);
    shut = module->gate != NULL;
    pthread_mutex_unlock(&module->lock);
    return shut;
}

int module_wait_for_gate(struct host_module *module)
{
    struct rv_channel *gate;
    char nothing;
    int r = 0;

    pthread_mutex_lock(&module->lock);
    gate = module->gate ? rv_channel_ref(module->gate) : NULL;
    pthread_mutex_unlock(&module->lock);
    if (gate)
        r = rv_channel_recv(module->tasks, gate, &nothing);
    rv_channel_unref(gate);
    return r == -EPIPE ? 0 : r;
}

void module_wait_for_start(struct host_module *module)
{
    bool starting;

    pthread_mutex_lock(&module->lock);
    starting = module->starting;
    pthread_mutex_unlock(&module->lock);
    if (starting)
        (void)module_wait_for_gate(module);
}

void module_begin_activity(struct host_module *module, const char *what)
{
    struct scoreboard_module *record = module->record;

    board_enter(module->slot, what, 0, 0);
    pthread_mutex_lock(&module->record_lock);
    scoreboard_write_begin(record);
    record->busy_since = rv_now();
    string_copy(record->activity, sizeof(record->activity), what);
    scoreboard_write_end(record);
    pthread_mutex_unlock(&module->record_lock);
}

void module_end_activity(struct host_module *module)
{
    struct scoreboard_module *record = module->record;

    board_leave();
    pthread_mutex_lock(&module->record_lock);
    scoreboard_write_begin(record);
    record->busy_since = 0;
    record->activity[0] = '\0';
    scoreboard_write_end(record);
    pthread_mutex_unlock(&module->record_lock);
}

void module_note_progress(struct host_module *module)
{
    rv_time now = rv_now();

    atomic_store(&module->moved_at, now);
    /* For systemd, which waits for a stop as long as it moves. */
    atomic_store_explicit(board_moved(module->slot), now, memory_order_relaxed);
}

static const char key;

struct host_module *module_of(struct rv_context *ctx)
{
    return rv_context_value(ctx, &key);
}

static int make_root(struct rv_context *host, struct host_module *module)
{
    struct rv_labels labels = {.module = module->name};
    struct rv_context *labelled;
    int r = rv_context_with_labels(host, &labels, &labelled, NULL);

    if (r < 0)
        return r;
    r = rv_context_with_value(labelled, &key, module, &module->root, &module->cancel_root);
    rv_context_unref(labelled);
    return r;
}

/* Takes an operation out of the queue: what may be queued again meanwhile is copied. */
static struct module_op take(struct host_module *module, struct module_op *queued)
{
    struct module_op op;

    pthread_mutex_lock(&module->lock);
    op = *queued;
    if (queued == module->reload_queued)
        module->reload_queued = NULL;
    if (queued == &module->stop)
        module->stop_queued = false;
    else if (queued != &module->end)
        module->ops_waiting--;
    pthread_mutex_unlock(&module->lock);
    if (queued != &module->stop && queued != &module->end)
        free(queued);
    return op;
}

/* The module's thread. */
static int work(struct rv_context *ctx _unused_, void *arg)
{
    struct host_module *module = arg;
    struct module_op *queued, op = {0};

    /* Not cancelled with the host: the last operations are what ends it in order. */
    while (op.kind != MODULE_OP_END &&
           rv_channel_recv(rv_context_background(), module->ops, &queued) == 0) {
        op = take(module, queued);
        module->act(module, &op);
        module_op_free(&op);
    }
    return 0;
}

int module_create(const struct module_owner *owner, uint32_t slot, const char *name,
                  const char *path, struct host_module **ret_module)
{
    struct host_module *module;
    int r = alarm_open();

    if (r < 0)
        return r;
    module = calloc(1, sizeof(*module));
    if (!module)
        return -ENOMEM;
    module->act = owner->act;
    module->slot = slot;
    module->name = strdup(name);
    module->path = strdup(path);
    pthread_mutex_init(&module->lock, NULL);
    pthread_mutex_init(&module->record_lock, NULL);
    pthread_cond_init(&module->submitted, NULL);
    module->record = board_module(slot, name);
    r = module->name && module->path ? make_root(owner->ctx, module) : -ENOMEM;
    if (r == 0)
        r = rv_channel_create(sizeof(struct module_op *), OPS_MAX + OPS_OF_THE_END, &module->ops);
    if (r == 0)
        r = rv_group_go(owner->group, work, module);
    if (r < 0) {
        module_destroy(module);
        return r;
    }
    *ret_module = module;
    return 0;
}

void module_destroy(struct host_module *module)
{
    if (!module)
        return;
    option_lines_free(&module->lines);
    last_runs_free(&module->new_last_runs);
    last_runs_free(&module->last_runs);
    options_free(&module->bound);
    loader_free(&module->code);
    rv_channel_unref(module->ops);
    rv_context_unref(module->root);
    pthread_mutex_destroy(&module->lock);
    pthread_mutex_destroy(&module->record_lock);
    pthread_cond_destroy(&module->submitted);
    free(module->name);
    free(module->path);
    free(module);
}

void module_op_free(struct module_op *op)
{
    option_lines_free(&op->lines);
    last_runs_free(&op->last_runs);
}

void module_refuse(struct host_module *module, uint64_t request, uint32_t flags, int code,
                   const char *text)
{
    struct wire_message message = {.type = WIRE_RESULT,
                                   .module = module->slot,
                                   .flags = flags,
                                   .request = request,
                                   .code = code,
                                   .text = text};

    event_send(&message);
}

void module_refuse_for_now(struct host_module *module, uint64_t request, uint32_t flags,
                           const char *waits)
{
    char text[MODULE_WAITS_SIZE + 100] = "the module is not ready";

    if (waits[0] != '\0')
        snprintf(text, sizeof(text), "the module takes its new options when %s", waits);
    module_refuse(module, request, flags, -EAGAIN, text);
}

void module_refuse_unknown(struct host_module *module, uint64_t request, uint32_t flags,
                           const char *what, const char *name)
{
    cleanup_text struct text text = {0};
    bool tasks = flags & WIRE_RESULT_RUN;
    size_t count = tasks ? module->code.task_count : module->code.pool_count;

    text_append_format(&text, "module %s has no %s \"%.64s\"", module->name, what, name);
    for (size_t i = 0; i < count; i++)
        text_append_format(&text, "%s%s", i == 0 ? "; it has " : ", ",
                           tasks ? module->code.tasks[i].name : module->code.pools[i].name);
    module_refuse(module, request, flags, -ENOENT, text_string(&text));
}
