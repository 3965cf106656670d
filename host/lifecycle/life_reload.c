/* SPDX-License-Identifier: MIT */
/*
 * A reload: work under way ends by itself, however long that takes; then options are exchanged in
 * the state where it lies, and the tasks and pools begin again with their new settings.
 *
 * While runs and jobs from before the reload go on, all goes on. Only when they have ended is the
 * gate shut: no run begins, those that are due wait, no job is accepted, and what has begun
 * meanwhile ends. So a reload cuts nothing, a long run or job does not hold up the others, and a
 * stream of runs or jobs does not put the reload off for ever.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "host/lifecycle/drain.h"
#include "host/lifecycle/life_internal.h"
#include "host/load/options.h"
#include "host/module/module.h"
#include "host/pool/jobs.h"
#include "host/report/event.h"
#include "host/task/task.h"

static void tell_reloaded(struct host_module *module, const struct module_op *op, int code,
                          const char *text)
{
    struct wire_message message = {.type = WIRE_RELOADED,
                                   .module = module->slot,
                                   .number = op->number,
                                   .code = code,
                                   .text = text};

    event_send(&message);
}

/* The live state keeps its address, as the module may; only what options are bound to changes. */
static int exchange_options(struct host_module *module, struct bound_options *fresh)
{
    struct bound_options old = module->bound;
    void *state = old.state;
    struct rv_context *ctx;
    int r = life_begin_operation(module, false, &ctx);

    if (r < 0) {
        options_free(fresh);
        return r;
    }
    rv_context_unref(module->reload);
    module->reload = ctx;
    options_copy(&module->code, fresh, state);
    module_begin_activity(module, "reload");
    rv_error_clear();
    r = module->code.module.reload(ctx, state);
    module_end_activity(module);
    life_end_operation(module);
    /* The old strings may go now; the old state block stays, with the new strings. */
    old.state = fresh->state;
    module->bound = *fresh;
    module->bound.state = state;
    options_free(&old);
    return MIN(r, 0);
}

/* Waiting ----------------------------------------------------------------- */

/* A reload that waits for work under way. The supervisor does, too, from the first word of it on.
 */
struct wait {
    struct host_module *module;
    const struct module_op *op;
    struct rv_context *ctx;
};

static void tell_deferred(struct wait *wait, const char *text)
{
    struct wire_message message = {.type = WIRE_DEFERRED,
                                   .module = wait->module->slot,
                                   .number = wait->op->number,
                                   .text = text};

    event_send(&message);
}

/* Returns whether the run, if it is one, has ended. */
static bool wait_for_run(struct wait *wait, struct task_runner *runner, uint64_t run)
{
    char text[160];

    if (run == 0)
        return true;
    snprintf(text, sizeof(text), "its run %.64s#%llu has ended", task_name(runner),
             (unsigned long long)run);
    tell_deferred(wait, text);
    return task_wait(wait->ctx, runner, run);
}

/* Returns whether no run is under way any more, of those that were when each was looked at: others
 * follow. */
static bool wait_for_runs(struct wait *wait)
{
    struct host_module *module = wait->module;
    bool ended = true;

    for (size_t i = 0; i < module->code.task_count && ended; i++)
        ended = wait_for_run(wait, module->task_runners[i],
                             task_run_under_way(module->task_runners[i]));
    return ended;
}

/* With the gate shut one run may follow, which was queued before. */
static bool wait_for_last_runs(struct wait *wait)
{
    struct host_module *module = wait->module;
    bool ended = true;
    uint64_t run;

    for (size_t i = 0; i < module->code.task_count; i++)
        while (ended && (run = task_run_under_way(module->task_runners[i])) > 0)
            ended = wait_for_run(wait, module->task_runners[i], run);
    return ended;
}

/* Newer options wait for the same work; queue_reload() answers them with this text at once. */
static void note_wait(struct host_module *module, const char *text)
{
    pthread_mutex_lock(&module->lock);
    string_copy(module->operation.waits, sizeof(module->operation.waits), text);
    pthread_mutex_unlock(&module->lock);
}

/* As for runs: for those from before the reload, while others come and go. */
static bool wait_for_earlier_jobs(struct wait *wait)
{
    struct host_module *module = wait->module;
    char text[160];

    for (size_t i = 0; i < module->code.pool_count; i++) {
        if (!jobs_are_marked(module->pool_runners[i]))
            continue;
        snprintf(text, sizeof(text), "jobs of its pool %.64s have ended",
                 jobs_name(module->pool_runners[i]));
        tell_deferred(wait, text);
        if (!jobs_wait_marked(wait->ctx, module->pool_runners[i]))
            return false;
    }
    return true;
}

/* Jobs may hand on to other pools, which is as far as there are pools: each round ends what the one
 * before has handed on. A pool that goes on after that submits for ever, and is refused. */
static bool wait_for_chains(struct wait *wait)
{
    struct host_module *module = wait->module;

    for (size_t round = 0; round <= module->code.pool_count; round++) {
        for (size_t i = 0; i < module->code.pool_count; i++)
            jobs_mark(module->pool_runners[i]);
        for (size_t i = 0; i < module->code.pool_count; i++)
            if (!jobs_wait_marked(wait->ctx, module->pool_runners[i]))
                return false;
    }
    return true;
}

static bool wait_for_last_jobs(struct wait *wait)
{
    struct host_module *module = wait->module;
    struct module_op pause = {.drain_queue = true, .cause = "reload"};
    char text[160];

    /* Refused first: a job accepted after the look would be waited for, and nobody told. */
    life_refuse_requests(module);
    for (size_t i = 0; i < module->code.pool_count; i++)
        if (jobs_are_under_way(module->pool_runners[i])) {
            snprintf(
                text, sizeof(text),
                "the last jobs of its pool %.64s have ended: until then it takes no run or job",
                jobs_name(module->pool_runners[i]));
            tell_deferred(wait, text);
            note_wait(module, text);
            break;
        }
    if (!wait_for_chains(wait))
        return false;
    life_begin_drain(module, &pause);
    return drain_wait_for_all(wait->ctx, module);
}

/* Waits until nothing of the module runs. Returns 0; or -ECANCELED when a stop or newer options
 * came first, or -ENOMEM: then all is as it was, or the module is about to stop. */
static int pause_work(struct wait *wait)
{
    struct host_module *module = wait->module;
    struct module_op pause = {.cause = "reload"};
    struct wire_message reloading = {
        .type = WIRE_RELOADING, .module = module->slot, .number = wait->op->number};
    bool ended;
    int r = life_begin_operation(module, true, &wait->ctx);

    if (r < 0)
        return r;
    for (size_t i = 0; i < module->code.pool_count; i++)
        jobs_mark(module->pool_runners[i]);
    /* A run that has begun while jobs ended may be long, too. */
    ended = wait_for_runs(wait) && wait_for_earlier_jobs(wait) && wait_for_runs(wait);
    ended = ended && module_shut_gate(module, false) == 0 && wait_for_last_runs(wait);
    /* Pools that refuse cannot be opened again: only a stop comes before their end, and newer
     * options wait. */
    pthread_mutex_lock(&module->lock);
    module->operation.replaceable = false;
    string_copy(module->operation.waits, sizeof(module->operation.waits), "its jobs have ended");
    pthread_mutex_unlock(&module->lock);
    ended = ended && rv_context_err(wait->ctx) == 0 && wait_for_last_jobs(wait);
    note_wait(module, "");
    life_end_operation(module);
    r = ended ? 0 : rv_context_err(wait->ctx) != 0 ? -ECANCELED : -ENOMEM;
    wait->ctx = rv_context_unref(wait->ctx);
    /* The supervisor limits the time from here on, which includes a health() that is under way. */
    if (ended)
        event_send(&reloading);
    if (ended)
        life_end_runners(module, &pause);
    module_open_gate(module);
    return r;
}

/* Newer options came while it waited: they are next, and nobody waits for these. */
static bool is_replaced(struct host_module *module)
{
    bool replaced;

    pthread_mutex_lock(&module->lock);
    replaced = module->reload_queued && !module->stop_asked;
    pthread_mutex_unlock(&module->lock);
    return replaced;
}

static void begin_again(struct host_module *module, const struct module_op *op, int r)
{
    char text[RV_ERROR_TEXT_SIZE];

    string_copy(text, sizeof(text), r < 0 ? life_error_text(r) : "");
    if (r == 0) {
        r = life_create_runners(module);
        string_copy(text, sizeof(text), r < 0 ? life_error_text(r) : "");
    }
    if (r == 0) {
        life_make_ready(module);
    } else {
        life_finish(module);
    }
    life_set_state(module, r == 0 ? SCOREBOARD_MODULE_READY : SCOREBOARD_MODULE_STOPPED);
    tell_reloaded(module, op, r, text);
}

void life_reload(struct host_module *module, const struct module_op *op)
{
    struct wait wait = {.module = module, .op = op};
    struct bound_options fresh;
    int r;

    if (!module->task_runners || !module->code.module.reload) {
        tell_reloaded(module, op, -EOPNOTSUPP, "");
        return;
    }
    if (is_replaced(module))
        return;
    r = life_bind_options(module, &op->lines, life_tell_option_error, &fresh);
    if (r != 0) {
        tell_reloaded(module, op, r < 0 ? r : -EINVAL, "its options are wrong");
        return;
    }
    r = pause_work(&wait);
    if (r < 0) {
        options_free(&fresh);
        if (!is_replaced(module))
            tell_reloaded(module, op, r,
                          r == -ECANCELED ? "a stop came before the work under way had ended" : "");
        return;
    }
    begin_again(module, op, exchange_options(module, &fresh));
}
