/* SPDX-License-Identifier: MIT */
#include "host/module/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/lifecycle/module_life.h"
#include "host/pool/jobs.h"
#include "host/process/forked.h"
#include "host/report/board.h"
#include "host/task/task.h"

/* Operations that wait; a supervisor sends the next one when the last was answered. */
#define OPS_MAX 8

/* Beside them, for a STOP and an END. */
#define OPS_OF_THE_END 2

static module_emit_fn emit_fn;

void module_set_emit(module_emit_fn emit)
{
    emit_fn = emit;
}

void module_emit(const struct wire_message *message)
{
    emit_fn(message);
}

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
    module_emit(&message);
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

    module_emit(ready);
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

/* The gate --------------------------------------------------------------------------------------- */

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

void module_progress(const char *text)
{
    if (!forked_is() && !task_progress(text))
        jobs_progress(text);
}

static int make_root(struct rv_context *host, struct host_module *module)
{
    struct rv_labels labels = {.module = module->name};
    struct rv_context *labelled;
    int r = rv_context_with_labels(host, &labels, &labelled, NULL);

    if (r < 0)
        return r;
    r = rv_context_with_value(labelled, module_key(), module, &module->root, &module->cancel_root);
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
        life_do(module, &op);
        module_op_free(&op);
    }
    return 0;
}

int module_create(struct rv_context *host, struct rv_group *group, uint32_t slot, const char *name,
                  const char *path, struct host_module **ret_module)
{
    struct host_module *module;
    int r = alarm_open();

    if (r < 0)
        return r;
    module = calloc(1, sizeof(*module));
    if (!module)
        return -ENOMEM;
    module->slot = slot;
    module->name = strdup(name);
    module->path = strdup(path);
    pthread_mutex_init(&module->lock, NULL);
    pthread_mutex_init(&module->record_lock, NULL);
    pthread_cond_init(&module->submitted, NULL);
    module->record = board_module(slot, name);
    r = module->name && module->path ? make_root(host, module) : -ENOMEM;
    if (r == 0)
        r = rv_channel_create(sizeof(struct module_op *), OPS_MAX + OPS_OF_THE_END, &module->ops);
    if (r == 0)
        r = rv_group_go(group, work, module);
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

/* With the lock. Ends a reload that waits for runs: the newer one replaces it. A reload that waits for jobs goes on; then
 * both wait for what ret_text says. */
static void overtake_reload(struct host_module *module, char *ret_text, size_t size)
{
    if (module->operation.cancel && module->operation.replaceable)
        rv_context_cancel(module->operation.cancel, -ECANCELED, "newer options have come");
    string_copy(ret_text, size, module->operation.waits);
}

/* With the lock. */
static int queue(struct host_module *module, struct module_op *op)
{
    if (module->ops_waiting == OPS_MAX)
        return -EAGAIN;
    module->ops_waiting++;
    return rv_channel_try_send(module->ops, &op);
}

/* At most one RELOAD is queued, the newest. No STOP can stand between two of them, since the supervisor sends a RELOAD only
 * to a module that is ready. The lock keeps the module's thread from taking the RELOAD meanwhile. */
static int queue_reload(struct host_module *module, struct module_op *copy)
{
    char text[sizeof(module->operation.waits)];
    struct wire_message deferred = {
        .type = WIRE_DEFERRED, .module = module->slot, .number = copy->number, .text = text};
    struct module_op before = {0};
    bool replaced;
    int r = 0;

    pthread_mutex_lock(&module->lock);
    replaced = module->reload_queued != NULL;
    if (replaced) {
        before = *module->reload_queued;
        *module->reload_queued = *copy;
    } else {
        r = queue(module, copy);
        module->reload_queued = r == 0 ? copy : NULL;
    }
    overtake_reload(module, text, sizeof(text));
    pthread_mutex_unlock(&module->lock);
    if (replaced) {
        module_op_free(&before);
        free(copy);
    }
    if (r == 0 && text[0] != '\0')
        module_emit(&deferred);
    return r;
}

/* In memory of the module's own. */
static int queue_stop(struct host_module *module, const struct module_op *op)
{
    struct module_op *stop = &module->stop;
    int r = 0;

    pthread_mutex_lock(&module->lock);
    if (!module->stop_queued) {
        *stop = *op;
        module->stop_queued = true;
        r = rv_channel_try_send(module->ops, &stop);
    }
    pthread_mutex_unlock(&module->lock);
    return r;
}

static int queue_end(struct host_module *module, const struct module_op *op)
{
    struct module_op *end = &module->end;

    *end = *op;
    return rv_channel_try_send(module->ops, &end);
}

int module_operate(struct host_module *module, const struct module_op *op)
{
    struct module_op *copy;
    int r;

    if (op->kind == MODULE_OP_STOP)
        return queue_stop(module, op);
    if (op->kind == MODULE_OP_END)
        return queue_end(module, op);
    copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *op;
    if (op->kind == MODULE_OP_RELOAD) {
        r = queue_reload(module, copy);
    } else {
        pthread_mutex_lock(&module->lock);
        r = queue(module, copy);
        pthread_mutex_unlock(&module->lock);
    }
    if (r < 0)
        free(copy);
    return r;
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

    module_emit(&message);
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

void module_run(struct host_module *module, const char *task, uint64_t request)
{
    struct task_runner *found = NULL;
    char waits[MODULE_WAITS_SIZE];
    bool ready;

    pthread_mutex_lock(&module->lock);
    ready = module->ready;
    string_copy(waits, sizeof(waits), module->operation.waits);
    for (size_t i = 0; ready && i < module->code.task_count; i++)
        if (strcmp(task_name(module->task_runners[i]), task) == 0)
            found = module->task_runners[i];
    /* Under the lock, so that the runner cannot go away meanwhile; it does not block. */
    if (found)
        task_run(found, request);
    pthread_mutex_unlock(&module->lock);
    if (!ready)
        module_refuse_for_now(module, request, WIRE_RESULT_RUN, waits);
    else if (!found)
        module_refuse_unknown(module, request, WIRE_RESULT_RUN, "task", task);
}
