/* SPDX-License-Identifier: MIT */
/*
 * One run of a task: its context, the call, what is published of it, and what its error leads to.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "host/module/call.h"
#include "host/module/module.h"
#include "host/report/board.h"
#include "host/report/event.h"
#include "host/report/log_sink.h"
#include "host/task/task_internal.h"
#include "wire/histogram.h"
#include "wire/scoreboard.h"

/* The run under way. */
struct run {
    struct task_runner *runner;
    struct rv_context *ctx;
    uint64_t number;
    rv_time cancelled_at; /* under the runner's lock */
};

void task_answer(struct task_runner *runner, uint64_t request, const struct task_end *end)
{
    struct wire_message message = {
        .type = WIRE_RESULT,
        .module = runner->module->slot,
        .flags = WIRE_RESULT_RUN,
        .request = request,
        .number = end->number,
        .code = end->code,
        .duration = end->duration,
        .name = task_name(runner),
        .text = end->text,
    };

    if (request != 0)
        event_send(&message);
}

void task_accept(struct task_runner *runner, uint64_t request, uint64_t number, rv_time since)
{
    struct wire_message message = {.type = WIRE_ACCEPTED,
                                   .module = runner->module->slot,
                                   .flags = WIRE_RESULT_RUN,
                                   .request = request,
                                   .number = number,
                                   .since = since};

    if (request != 0)
        event_send(&message);
}

void task_refuse(struct task_runner *runner, uint64_t request, int code, const char *text)
{
    struct task_end end = {.code = code};

    string_copy(end.text, sizeof(end.text), text);
    task_answer(runner, request, &end);
}

/* A run's end ------------------------------------------------------------- */

static void run_was_cancelled(void *arg)
{
    struct run *run = arg;
    struct task_runner *runner = run->runner;

    pthread_mutex_lock(&runner->lock);
    run->cancelled_at = rv_now();
    scoreboard_write_begin(runner->record);
    runner->record->state = SCOREBOARD_TASK_CANCELLED;
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
}

static void count_end(struct scoreboard_task *record, int code, int ctx_err)
{
    record->runs++;
    record->last_code = MIN(code, 0);
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

static rv_time planned(const struct task_runner *runner)
{
    bool none = runner->schedule.due == RV_NEVER || rv_context_err(runner->module->tasks) != 0;

    return none ? 0 : runner->schedule.due;
}

/* 0: it was not cancelled. A run may end before the alarm's thread has noted the end of its time.
 */
static rv_time cancel_time(const struct run *run, int ctx_err)
{
    rv_time deadline;

    if (run->cancelled_at > 0 || ctx_err != -ETIMEDOUT || !rv_context_deadline(run->ctx, &deadline))
        return run->cancelled_at;
    return deadline;
}

static void publish_end(struct task_runner *runner, const struct run *run, int code, int ctx_err,
                        const char *text)
{
    struct scoreboard_task *record = runner->record;
    rv_time now = rv_now(), cancelled_at;
    struct rv_cause cause;

    pthread_mutex_lock(&runner->lock);
    cancelled_at = cancel_time(run, ctx_err);
    scoreboard_write_begin(record);
    record->ended_at = now;
    record->last_duration = now - record->started_at;
    histogram_observe(&record->run_duration, record->last_duration);
    count_end(record, code, ctx_err);
    if (cancelled_at > 0)
        record->worst_cancel = MAX(record->worst_cancel, now - cancelled_at);
    string_copy(record->last_text, sizeof(record->last_text), record->last_code < 0 ? text : "");
    if (code < 0 && record->last_code == 0) {
        rv_context_cause(run->ctx, &cause);
        snprintf(record->last_text, sizeof(record->last_text), "cancelled: %s", cause.text);
    }
    record->busy_until = 0;
    /* During a planned run nothing is planned; its end plans the next. */
    record->next_due = runner->stopped || runner->plan != TASK_PLAN_AGAIN ? 0 : planned(runner);
    record->state = runner->stopped ? SCOREBOARD_TASK_STOPPED : SCOREBOARD_TASK_WAITING;
    task_write_open(runner);
    scoreboard_write_end(record);
    pthread_mutex_unlock(&runner->lock);
    module_note_progress(runner->module);
}

static void stop_running(struct task_runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    runner->stopped_at = task_read_clocks();
    runner->stopped = true;
    pthread_mutex_unlock(&runner->lock);
}

/* Called after the end of the run was published, so that every answer given after the line agrees
 * with it. */
static void tell_end(struct task_runner *runner, struct rv_context *ctx, int code, const char *text,
                     uint32_t failed_before)
{
    char stage[96];

    if (code >= 0) {
        if (failed_before > 0)
            host_log(ctx, RV_LOG_NOTICE, "succeeded again after %u %s", failed_before,
                     plural(failed_before, "failure", "failures"));
        return;
    }
    host_log(ctx, RV_LOG_WARNING, "failed: %s", text);
    if (runner->settings->on_error != TASK_ON_ERROR_STOP)
        task_tell_left_out(runner);
    snprintf(stage, sizeof(stage), "task %.64s", task_name(runner));
    if (runner->settings->on_error == TASK_ON_ERROR_RESTART)
        module_give_up(runner->module, stage, code, text);
    if (runner->settings->on_error == TASK_ON_ERROR_STOP)
        host_log(ctx, RV_LOG_ERROR,
                 "runs no more (on-error = stop): reevectl restart %s starts it again",
                 runner->module->name);
}

/* It is no failure; and yet what it was to do has not been done. */
static void tell_cancelled(struct rv_context *ctx)
{
    struct rv_cause cause;

    rv_context_cause(ctx, &cause);
    host_log(ctx, RV_LOG_NOTICE, "cancelled: %s", cause.text);
}

/* Where to log for a run: one without memory has no context, and is the task's all the same. The
 * caller unrefs it. */
static struct rv_context *log_context(const struct run *run)
{
    return run->ctx ? rv_context_ref(run->ctx) : task_labelled(run->runner);
}

/* A run ------------------------------------------------------------------- */

static int make_run_context(struct task_runner *runner, uint64_t number,
                            struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    struct rv_context *parent = runner->settings->on_stop == TASK_ON_STOP_FINISH
                                    ? runner->module->work
                                    : runner->module->tasks;
    struct rv_labels labels = {.task = task_name(runner), .run = number};
    struct rv_context *labelled = NULL;
    int r = rv_context_with_labels(parent, &labels, &labelled, ret_cancel);

    if (r < 0 || runner->settings->timeout == 0) {
        *ret_ctx = labelled;
        return r;
    }
    r = rv_context_with_timeout(labelled, runner->settings->timeout, ret_ctx, ret_cancel);
    rv_context_unref(labelled);
    return r;
}

static void publish_begin(struct task_runner *runner, rv_time due)
{
    struct scoreboard_task *record = runner->record;
    const struct task_settings *settings = runner->settings;
    rv_time now = rv_now();

    scoreboard_write_begin(record);
    record->run++;
    record->state = SCOREBOARD_TASK_RUNNING;
    record->started_at = now;
    record->started_realtime = clock_realtime();
    record->busy_until = settings->timeout > 0 ? now + settings->timeout + settings->grace : 0;
    if (due > 0) {
        record->worst_lateness = MAX(record->worst_lateness, now - due);
        histogram_observe(&record->lateness, now - due);
    }
    scoreboard_write_end(record);
}

static void run_progress(void *arg, const char *text)
{
    const struct run *run = arg;
    struct task_runner *runner = run->runner;

    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(runner->record);
    string_copy(runner->record->progress, sizeof(runner->record->progress), text);
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
    module_note_progress(runner->module);
}

static int run_task(struct task_runner *runner, struct run *run)
{
    struct call call = {
        .ctx = run->ctx,
        .slot = runner->module->slot,
        .name = task_name(runner),
        .number = run->number,
        .grace = runner->settings->grace,
        .cancelled = run_was_cancelled,
        .progress = run_progress,
        .arg = run,
    };
    int r;

    call_begin(&call);
    r = runner->definition->run(run->ctx, runner->module->bound.state);
    call_end(&call);
    return r;
}

/* One run from begin to end, by the thread that made the runner busy. */
void task_run_once(struct task_runner *runner, uint64_t request, rv_time due,
                   struct task_end *ret_end)
{
    struct run run = {.runner = runner};
    char *const text = ret_end->text, limit[DURATION_TEXT_SIZE];
    struct rv_context *log;
    struct rv_cancel *cancel;
    rv_time since;
    uint32_t failed_before;
    int r, ctx_err = 0;
    bool counts; /* it was not cancelled */

    *text = '\0';
    pthread_mutex_lock(&runner->lock);
    failed_before = runner->record->failures_in_row;
    publish_begin(runner, due);
    run.number = runner->record->run;
    since = runner->record->started_at;
    pthread_mutex_unlock(&runner->lock);
    task_accept(runner, request, run.number, since);
    r = make_run_context(runner, run.number, &run.ctx, &cancel);
    if (r == 0) {
        r = run_task(runner, &run);
        ctx_err = rv_context_err(run.ctx);
    } else {
        rv_fail(r, "no memory for the run");
    }
    if (r < 0)
        string_copy(text, sizeof(ret_end->text),
                    rv_error_text(r)[0] ? rv_error_text(r) : strerror(-r));
    /* "Connection timed out" would send people looking for a connection. */
    if (r == -ETIMEDOUT && ctx_err == -ETIMEDOUT && rv_error_text(r)[0] == '\0')
        snprintf(text, sizeof(ret_end->text), "not done within %s (%.64s.timeout)",
                 duration_format(runner->settings->timeout, limit, sizeof(limit)),
                 task_name(runner));
    counts = ctx_err == 0 || ctx_err == -ETIMEDOUT;
    if (counts && r < 0 && runner->settings->on_error == TASK_ON_ERROR_STOP)
        stop_running(runner);
    publish_end(runner, &run, r, ctx_err, text);
    if (counts || r >= 0)
        task_plan_pause(runner);
    log = log_context(&run);
    if (counts)
        tell_end(runner, log, r, text, failed_before);
    else if (r < 0)
        tell_cancelled(log);
    rv_context_unref(log);
    ret_end->number = run.number;
    ret_end->code = MIN(r, 0);
    ret_end->duration = runner->record->last_duration;
    if (run.ctx)
        rv_context_cancel(cancel, 0, "the run has returned");
    rv_context_unref(run.ctx);
}
