/* SPDX-License-Identifier: MIT */
/* The tasks and pools of a module: how they are made, and how they end. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "host/lifecycle/drain.h"
#include "host/lifecycle/life_internal.h"
#include "host/pool/jobs.h"
#include "host/pool/submit.h"
#include "host/report/event.h"
#include "host/schedule/last_runs.h"
#include "host/task/task.h"

void life_refuse_requests(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    module->ready = false;
    pthread_mutex_unlock(&module->lock);
}

/* A job may submit to any pool: all jobs end before the first pool goes. */
static void destroy_pools(struct host_module *module)
{
    size_t count = module->pool_runners ? module->code.pool_count : 0;

    for (size_t i = 0; i < count; i++)
        if (module->pool_runners[i])
            jobs_cancel(module->pool_runners[i]);
    for (size_t i = 0; i < count; i++)
        if (module->pool_runners[i])
            jobs_wait(rv_context_background(), module->pool_runners[i]);
    submit_close(module);
    for (size_t i = 0; i < count; i++)
        if (module->pool_runners[i])
            jobs_destroy(module->pool_runners[i]);
}

static void destroy_runners(struct host_module *module)
{
    for (size_t i = 0; module->task_runners && i < module->code.task_count; i++)
        if (module->task_runners[i])
            task_destroy(module->task_runners[i], &module->last_runs);
    destroy_pools(module);
    drain_finish(module);
    free(module->task_runners);
    free(module->pool_runners);
    module->task_runners = NULL;
    module->pool_runners = NULL;
    module->tasks = rv_context_unref(module->tasks);
    module->work = rv_context_unref(module->work);
}

static void cancel_runners(struct host_module *module, const char *cause)
{
    if (module->tasks)
        rv_context_cancel(module->cancel_tasks, -ECANCELED, "%s", cause);
    if (module->work)
        rv_context_cancel(module->cancel_work, -ECANCELED, "%s", cause);
}

/* With room for what the task will hand on. */
static int create_task(struct host_module *module, size_t i)
{
    const char *name = module->code.tasks[i].name;
    struct schedule_past past = last_runs_find(&module->last_runs, name);
    int r = last_runs_set(&module->last_runs, name, &past);

    if (r == 0)
        r = task_create(module, &module->code.tasks[i], &module->bound.work.tasks[i],
                        &module->last_runs, &module->task_runners[i]);
    return r < 0 && rv_error_text(r)[0] == '\0' ? rv_fail(r, "task %s", name) : r;
}

/* The text of the error, r, stays. */
static void undo_runners(struct host_module *module, int r)
{
    char text[RV_ERROR_TEXT_SIZE];

    string_copy(text, sizeof(text), rv_error_text(r));
    cancel_runners(module, "it could not be started");
    life_stop_health(module);
    destroy_runners(module);
    rv_fail_text(r, "%s", text);
}

/* Pools before tasks, whose runs may submit to them. */
int life_create_runners(struct host_module *module)
{
    const struct loaded_module *code = &module->code;
    int r;

    /* init may have left one. */
    rv_error_clear();
    r = rv_context_with_cancel(module->root, &module->tasks, &module->cancel_tasks);
    if (r == 0)
        r = rv_context_with_cancel(module->root, &module->work, &module->cancel_work);
    if (r == 0)
        r = drain_prepare(module);
    module->task_runners = calloc(code->task_count + 1, sizeof(struct task_runner *));
    module->pool_runners = calloc(code->pool_count + 1, sizeof(struct pool_runner *));
    if (!module->task_runners || !module->pool_runners)
        r = -ENOMEM;
    if (r < 0)
        rv_fail(r, "its tasks and pools");
    for (size_t i = 0; r == 0 && i < code->pool_count; i++)
        r = jobs_create(module, &code->pools[i], &module->bound.work.pools[i],
                        &module->pool_runners[i]);
    if (r == 0)
        submit_open(module);
    for (size_t i = 0; r == 0 && i < code->task_count; i++)
        r = create_task(module, i);
    if (r == 0)
        r = life_start_health(module);
    if (r < 0)
        undo_runners(module, r);
    return r;
}

void life_begin_drain(struct host_module *module, const struct module_op *op)
{
    struct wire_message progress = {
        .type = WIRE_PROGRESS, .module = module->slot, .text = "waiting for work under way"};

    /* Tasks first: to one that waits for room in a pool this is a cancel, and no failure. */
    rv_context_cancel(module->cancel_tasks, -ECANCELED, "%s", op->cause);
    life_refuse_requests(module);
    for (size_t i = 0; i < module->code.pool_count; i++)
        jobs_refuse(module->pool_runners[i], op->drain_queue, op->cause);
    for (size_t i = 0; i < module->code.task_count; i++)
        task_expect_nothing(module->task_runners[i]);
    event_send(&progress);
}

/* Cancels what is left, and waits for all of it to return. */
void life_end_runners(struct host_module *module, const struct module_op *op)
{
    struct wire_message progress = {.type = WIRE_PROGRESS,
                                    .module = module->slot,
                                    .text = "waiting for what was cancelled to return"};

    rv_context_cancel(module->cancel_work, -ECANCELED, "%s", op->cause);
    event_send(&progress);
    life_stop_health(module);
    destroy_runners(module);
}
