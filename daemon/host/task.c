/* SPDX-License-Identifier: MIT */
/*
 * A task's runner.
 *
 * Properties: never two runs at once; run numbers count up over restarts of the module within the
 * host; every request is answered once.
 *
 * Operation: the schedule is a periodic function of the runtime, which needs no thread while it
 * waits. A run that is cancelled is watched: when it has not returned within its grace it is
 * reported overdue.
 *
 * Safety: the lock protects what changes in the runner, and the record, which the run, its progress
 * and the watch all write.
 */
#include "daemon/host/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/host/board.h"

struct task_runner {
    struct host_module *module;
    const struct rv_task *definition;
    const struct task_settings *settings;
    struct rv_periodic *periodic;
    struct rv_group *requests; /* runs on request */
    rv_duration base;          /* the schedule's first point */
    pthread_mutex_t lock;
    struct scoreboard_task *record;
    struct rv_channel *idle; /* closed when the runner is free again, for who waits for it */
    bool busy;
    bool stopped;     /* on-error = stop */
    bool pending;     /* overlap = queue: run again right after */
    uint64_t request; /* of the pending run */
};

static __thread struct task_runner *current;

/* The run under way, for the thread that watches its cancel. */
struct run {
    struct task_runner *runner;
    struct rv_context *ctx;
    struct rv_context *returned; /* done when the function has returned */
    uint64_t number;
    rv_duration cancelled_at; /* under the runner's lock */
};

const char *task_name(const struct task_runner *runner)
{
    return runner->definition->name;
}

static void answer(struct task_runner *runner, uint64_t request, uint64_t number, int code,
                   rv_duration duration, const char *text)
{
    struct wire_message message = {
        .type = WIRE_RESULT,
        .module = runner->module->slot,
        .flags = WIRE_RESULT_RUN,
        .request = request,
        .number = number,
        .code = code,
        .duration = duration,
        .name = task_name(runner),
        .text = text,
    };

    if (request != 0)
        module_emit(&message);
}

static void accepted(struct task_runner *runner, uint64_t request, uint64_t number)
{
    struct wire_message message = {.type = WIRE_ACCEPTED,
                                   .module = runner->module->slot,
                                   .flags = WIRE_RESULT_RUN,
                                   .request = request,
                                   .number = number};

    if (request != 0)
        module_emit(&message);
}

/* A run's end ------------------------------------------------------------------------------------
 */

/* On a thread of its own, once the run's context is done. */
static void watch_cancelled(void *arg)
{
    struct run *run = arg;
    struct task_runner *runner = run->runner;
    struct wire_message message = {.type = WIRE_OVERDUE,
                                   .module = runner->module->slot,
                                   .number = run->number,
                                   .duration = runner->settings->grace,
                                   .name = task_name(runner)};
    struct rv_cause cause;
    char text[400];

    pthread_mutex_lock(&runner->lock);
    run->cancelled_at = rv_now();
    scoreboard_write_begin(runner->record);
    runner->record->state = SCOREBOARD_TASK_CANCELLED;
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
    if (rv_sleep(run->returned, runner->settings->grace) != 0)
        return;
    rv_context_cause(run->ctx, &cause);
    snprintf(text, sizeof(text), "cancelled because of: %s", cause.text);
    message.text = text;
    module_emit(&message);
}

static void count_end(struct scoreboard_task *record, int code, int ctx_err)
{
    record->runs++;
    record->last_code = code;
    if (code >= 0) {
        record->failures_in_row = 0;
        record->succeeded_at = record->ended_at;
    } else if (ctx_err != 0 && ctx_err != -ETIMEDOUT) {
        record->cancels++;
        record->last_code = 0;
    } else {
        record->failures++;
        record->failures_in_row++;
        record->timeouts += ctx_err == -ETIMEDOUT;
    }
}

/* The first point of the schedule that is still to come. */
static rv_duration next_point(const struct task_runner *runner, rv_duration now)
{
    rv_duration every = runner->settings->every;

    return every == 0 ? 0 : runner->base + ((now - runner->base) / every + 1) * every;
}

static void publish_end(struct task_runner *runner, const struct run *run, int code, int ctx_err,
                        const char *text)
{
    struct scoreboard_task *record = runner->record;
    rv_duration now = rv_now();

    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(record);
    record->ended_at = now;
    record->last_duration = now - record->started_at;
    record->total_duration += record->last_duration;
    count_end(record, code, ctx_err);
    if (run->cancelled_at > 0)
        record->worst_cancel = MAX(record->worst_cancel, now - run->cancelled_at);
    string_copy(record->last_text, sizeof(record->last_text), record->last_code < 0 ? text : "");
    record->busy_until = 0;
    record->next_due = runner->stopped ? 0 : next_point(runner, now);
    record->state = runner->stopped ? SCOREBOARD_TASK_STOPPED : SCOREBOARD_TASK_WAITING;
    scoreboard_write_end(record);
    pthread_mutex_unlock(&runner->lock);
}

static void stop_running(struct task_runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    runner->stopped = true;
    pthread_mutex_unlock(&runner->lock);
}

static void react(struct task_runner *runner, struct rv_context *ctx, int code, const char *text,
                  uint32_t failed_before)
{
    char stage[96];

    if (code >= 0) {
        if (failed_before > 0)
            rv_log(ctx, RV_LOG_NOTICE, "succeeded again after %u failures", failed_before);
        return;
    }
    rv_log(ctx, RV_LOG_WARNING, "failed: %s", text);
    snprintf(stage, sizeof(stage), "task %.64s", task_name(runner));
    if (runner->settings->on_error == TASK_ON_ERROR_RESTART)
        module_give_up(runner->module, stage, code, text);
    else if (runner->settings->on_error == TASK_ON_ERROR_STOP)
        stop_running(runner);
}

/* A run
 * --------------------------------------------------------------------------------------------- */

static int make_run_context(struct task_runner *runner, uint64_t number,
                            struct rv_context **ret_ctx)
{
    struct rv_context *parent = runner->settings->on_stop == TASK_ON_STOP_FINISH
                                    ? runner->module->work
                                    : runner->module->tasks;
    struct rv_labels labels = {.task = task_name(runner), .run = number};
    struct rv_context *labelled;
    int r = rv_context_with_labels(parent, &labels, &labelled);

    if (r < 0 || runner->settings->timeout == 0) {
        *ret_ctx = labelled;
        return r;
    }
    r = rv_context_with_timeout(labelled, runner->settings->timeout, ret_ctx);
    rv_context_unref(labelled);
    return r;
}

static void publish_begin(struct task_runner *runner, rv_duration due)
{
    struct scoreboard_task *record = runner->record;
    const struct task_settings *settings = runner->settings;
    rv_duration now = rv_now();

    scoreboard_write_begin(record);
    record->run++;
    record->state = SCOREBOARD_TASK_RUNNING;
    record->started_at = now;
    record->started_realtime = clock_realtime();
    record->busy_until = settings->timeout > 0 ? now + settings->timeout + settings->grace : 0;
    if (due > 0)
        record->worst_lateness = MAX(record->worst_lateness, now - due);
    scoreboard_write_end(record);
}

static int call(struct task_runner *runner, struct run *run)
{
    struct rv_after *after = NULL;
    int r;

    if (rv_context_after(run->ctx, watch_cancelled, run, &after) < 0)
        after = NULL;
    board_enter(runner->module->slot, task_name(runner), run->number);
    current = runner;
    rv_error_clear();
    r = runner->definition->run(run->ctx, runner->module->bound.state);
    current = NULL;
    board_leave();
    rv_context_cancel(run->returned, 0, NULL);
    if (after)
        rv_after_stop(after);
    return r;
}

/* One run from begin to end, by the thread that made the runner busy. */
static void run_once(struct task_runner *runner, uint64_t request, rv_duration due)
{
    struct run run = {.runner = runner};
    char text[RV_ERROR_TEXT_SIZE] = "";
    uint32_t failed_before;
    int r, ctx_err = 0;

    pthread_mutex_lock(&runner->lock);
    failed_before = runner->record->failures_in_row;
    publish_begin(runner, due);
    run.number = runner->record->run;
    pthread_mutex_unlock(&runner->lock);
    accepted(runner, request, run.number);
    r = make_run_context(runner, run.number, &run.ctx);
    if (r == 0)
        r = rv_context_with_cancel(rv_context_background(), &run.returned);
    if (r == 0) {
        r = call(runner, &run);
        ctx_err = rv_context_err(run.ctx);
    } else {
        rv_fail(r, "no memory for the run");
    }
    if (r < 0)
        string_copy(text, sizeof(text), rv_error_text()[0] ? rv_error_text() : strerror(-r));
    if (ctx_err == 0 || ctx_err == -ETIMEDOUT)
        react(runner, run.ctx, r, text, failed_before);
    publish_end(runner, &run, r, ctx_err, text);
    answer(runner, request, run.number, MIN(r, 0), runner->record->last_duration, text);
    if (run.ctx)
        rv_context_cancel(run.ctx, 0, "the run has returned");
    rv_context_unref(run.ctx);
    rv_context_unref(run.returned);
}

/* Makes the runner busy, or notes what was missed. */
static bool begin(struct task_runner *runner, uint64_t request)
{
    bool mine;

    pthread_mutex_lock(&runner->lock);
    mine = !runner->busy && !runner->stopped;
    if (mine) {
        runner->busy = true;
    } else if (runner->busy && runner->settings->overlap == TASK_OVERLAP_QUEUE &&
               !runner->pending) {
        runner->pending = true;
        runner->request = request;
        request = 0;
    } else if (request == 0) {
        scoreboard_write_begin(runner->record);
        runner->record->skipped++;
        scoreboard_write_end(runner->record);
    }
    pthread_mutex_unlock(&runner->lock);
    if (!mine)
        answer(runner, request, 0, -EBUSY, 0, "a run is under way already, or the task is stopped");
    return mine;
}

/* Gives the runner free, or takes the run that was queued meanwhile. */
static bool take_pending(struct task_runner *runner, uint64_t *ret_request)
{
    bool pending;

    pthread_mutex_lock(&runner->lock);
    pending = runner->pending && !runner->stopped && rv_context_err(runner->module->tasks) == 0;
    *ret_request = runner->pending ? runner->request : 0;
    runner->pending = false;
    if (!pending) {
        runner->busy = false;
        if (runner->idle)
            rv_channel_close(runner->idle);
    }
    pthread_mutex_unlock(&runner->lock);
    if (!pending)
        answer(runner, *ret_request, 0, -ECANCELED, 0, "the module stops");
    return pending;
}

static void run_all(struct task_runner *runner, uint64_t request, rv_duration due)
{
    if (!begin(runner, request))
        return;
    do {
        run_once(runner, request, due);
        due = 0;
    } while (take_pending(runner, &request));
}

/* Counts the points of the schedule that came while it ran. Returns whether there is to be another
 * run. */
static bool count_missed(struct task_runner *runner, rv_duration due)
{
    uint64_t missed = (uint64_t)((rv_now() - due) / runner->settings->every);
    bool go_on;

    pthread_mutex_lock(&runner->lock);
    if (missed > 0) {
        scoreboard_write_begin(runner->record);
        runner->record->skipped += missed;
        scoreboard_write_end(runner->record);
    }
    go_on = !runner->stopped;
    pthread_mutex_unlock(&runner->lock);
    return go_on;
}

static int tick(struct rv_context *ctx, void *arg)
{
    struct task_runner *runner = arg;
    rv_duration every = runner->settings->every;
    rv_duration due = runner->base + (rv_now() - runner->base) / every * every;

    (void)ctx;
    run_all(runner, 0, due);
    return count_missed(runner, due) ? 0 : -ECANCELED;
}

struct request_run {
    struct task_runner *runner;
    uint64_t request;
};

static int run_request(struct rv_context *ctx, void *arg)
{
    struct request_run *run = arg;

    (void)ctx;
    run_all(run->runner, run->request, 0);
    free(run);
    return 0;
}

void task_run(struct task_runner *runner, uint64_t request)
{
    struct request_run *run = malloc(sizeof(*run));
    int r = -ENOMEM;

    if (run) {
        *run = (struct request_run){runner, request};
        r = rv_group_try_go(runner->requests, run_request, run);
    }
    if (r < 0) {
        free(run);
        answer(runner, request, 0, r, 0, "no thread is free for the run");
    }
}

/* Life -------------------------------------------------------------------------------------------
 */

static void publish_schedule(struct task_runner *runner)
{
    struct scoreboard_task *record = runner->record;

    scoreboard_write_begin(record);
    record->interval = runner->settings->every;
    record->next_due = runner->settings->every > 0 ? runner->base : 0;
    record->state = SCOREBOARD_TASK_WAITING;
    scoreboard_write_end(record);
}

int task_create(struct host_module *module, const struct rv_task *definition,
                const struct task_settings *settings, struct task_runner **ret_runner)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = settings->every};
    struct task_runner *runner = calloc(1, sizeof(*runner));
    int r;

    if (!runner)
        return -ENOMEM;
    runner->module = module;
    runner->definition = definition;
    runner->settings = settings;
    runner->base = rv_now();
    pthread_mutex_init(&runner->lock, NULL);
    runner->record = board_task(module->slot, definition->name);
    publish_schedule(runner);
    /* Requests are runs like others: their cancel comes through the run's own context. */
    r = rv_group_create(rv_context_background(), &runner->requests);
    if (r == 0 && settings->every > 0)
        r = rv_periodic_start(module->tasks, &spec, tick, runner, &runner->periodic);
    if (r < 0) {
        task_destroy(runner);
        return r;
    }
    *ret_runner = runner;
    return 0;
}

void task_wait(struct rv_context *ctx, struct task_runner *runner)
{
    struct rv_channel *idle = NULL;
    bool busy;

    if (rv_channel_create(1, 0, &idle) < 0)
        return;
    pthread_mutex_lock(&runner->lock);
    busy = runner->busy;
    runner->idle = idle;
    pthread_mutex_unlock(&runner->lock);
    if (busy)
        (void)rv_channel_recv(ctx, idle, &busy);
    pthread_mutex_lock(&runner->lock);
    runner->idle = NULL;
    pthread_mutex_unlock(&runner->lock);
    rv_channel_unref(idle);
}

void task_destroy(struct task_runner *runner)
{
    if (runner->periodic)
        rv_periodic_stop(runner->periodic);
    if (runner->requests)
        rv_group_wait(runner->requests);
    scoreboard_write_begin(runner->record);
    runner->record->state = SCOREBOARD_TASK_STOPPED;
    runner->record->next_due = 0;
    scoreboard_write_end(runner->record);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}

void task_progress(const char *text)
{
    struct task_runner *runner = current;

    if (!runner)
        return;
    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(runner->record);
    string_copy(runner->record->progress, sizeof(runner->record->progress), text);
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
}
