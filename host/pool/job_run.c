/* SPDX-License-Identifier: MIT */
/* One job: its attempts, and what is published and told of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "host/module/call.h"
#include "host/module/module.h"
#include "host/pool/jobs_internal.h"
#include "host/report/event.h"
#include "host/report/log_sink.h"
#include "wire/histogram.h"
#include "wire/scoreboard.h"

struct host_job *job_create(struct pool_runner *runner, bool own, const void *data, size_t size)
{
    struct host_job *job = malloc(sizeof(*job) + size + 1);

    if (!job)
        return NULL;
    *job = (struct host_job){
        .runner = runner, .submitted_at = rv_now(), .deadline = RV_NEVER, .refs = 2};
    pthread_mutex_init(&job->told, NULL);
    if (size > 0)
        memcpy(job->data, data, size);
    job->data[size] = '\0';
    job->job = (struct rv_job){
        .id = runner->next_id++,
        .attempts = (unsigned)runner->settings->retries + 1,
        .data = job->data,
        .size = size,
        .own = own,
    };
    return job;
}

void job_count(struct pool_runner *runner, struct host_job *job)
{
    runner->counts.accepted += !job->counted;
    if (!job->counted)
        job->generation = runner->generation;
    job->counted = true;
}

void job_drop(struct host_job *job)
{
    if (atomic_fetch_sub(&job->refs, 1) > 1)
        return;
    job_forget_deadline(job);
    pthread_mutex_destroy(&job->told);
    free(job);
}

void job_await_told(struct host_job *job)
{
    pthread_mutex_lock(&job->told);
    pthread_mutex_unlock(&job->told);
}

/* It is not in the queue any more. */
static void note_begin(struct pool_runner *runner, struct host_job *job)
{
    struct scoreboard_pool *record;

    if (job->job.attempt == 1)
        job->begun_at = rv_now();
    pthread_mutex_lock(&runner->lock);
    job_count(runner, job);
    record = jobs_begin_change(runner);
    if (job->job.attempt == 1)
        histogram_observe(&record->job_wait, job->begun_at - job->submitted_at);
    jobs_end_change(record);
    pthread_mutex_unlock(&runner->lock);
}

/* With the lock: one less of those that somebody may wait for. */
static void leave_mark(struct pool_runner *runner, const struct host_job *job)
{
    if (job->generation == runner->generation)
        return;
    if (--runner->marked == 0)
        (void)!rv_channel_try_send(runner->idle, "");
}

static void note_end(struct pool_runner *runner, struct host_job *job, const struct rv_outcome *end)
{
    struct scoreboard_pool *record;

    pthread_mutex_lock(&runner->lock);
    job_count(runner, job);
    leave_mark(runner, job);
    runner->counts.finished += end->kind == RV_OUTCOME_FINISHED;
    runner->counts.failed += end->kind == RV_OUTCOME_FAILED;
    runner->counts.lost += end->kind == RV_OUTCOME_LOST;
    record = jobs_begin_change(runner);
    if (job->begun_at > 0 && end->kind != RV_OUTCOME_LOST)
        histogram_observe(&record->job_duration, end->duration);
    if (end->kind == RV_OUTCOME_FINISHED) {
        record->succeeded_at = rv_now();
    } else if (end->code != -EBADMSG) {
        /* Of data that can never be right the submitter is told; the module is not at fault. */
        record->last_code = end->code;
        record->last_failure_at = rv_now();
        string_copy(record->last_text, sizeof(record->last_text), end->text);
    }
    jobs_end_change(record);
    pthread_mutex_unlock(&runner->lock);
}

rv_duration job_time(const struct host_job *job)
{
    return rv_now() - (job->begun_at > 0 ? job->begun_at : job->submitted_at);
}

void job_answer(struct pool_runner *runner, uint64_t request, uint64_t id, int code,
                rv_duration duration, const char *text)
{
    struct wire_message message = {
        .type = WIRE_RESULT,
        .module = runner->module->slot,
        .request = request,
        .number = id,
        .code = code,
        .duration = duration,
        .name = jobs_name(runner),
        .text = text,
    };

    if (request != 0)
        event_send(&message);
}

/* Where there is only one attempt, as for data that can never be right, it needs no number. */
static void log_failure(struct rv_context *ctx, const struct rv_job *job, int r)
{
    const char *text = rv_error_text(r)[0] ? rv_error_text(r) : strerror(-r);

    if (r == -EBADMSG)
        host_log(ctx, RV_LOG_WARNING, "refused: %s", text);
    else if (job->attempts > 1)
        host_log(ctx, RV_LOG_WARNING, "attempt %u of %u failed: %s", job->attempt, job->attempts,
                 text);
    else
        host_log(ctx, RV_LOG_WARNING, "failed: %s", text);
}

static void job_progress(void *arg, const char *text)
{
    struct pool_runner *runner = arg;

    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(runner->record);
    string_copy(runner->record->progress, sizeof(runner->record->progress), text);
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
    module_note_progress(runner->module);
}

int job_run(struct rv_context *ctx, void *arg)
{
    struct host_job *job = arg;
    struct pool_runner *runner = job->runner;
    struct rv_labels labels = {.task = jobs_name(runner), .run = job->job.id};
    struct rv_context *labelled, *timed;
    struct call call = {
        .slot = runner->module->slot,
        .name = jobs_name(runner),
        .number = job->job.id,
        .grace = runner->settings->grace,
        .progress = job_progress,
        .arg = runner,
    };
    char limit[DURATION_TEXT_SIZE];
    rv_time begun = rv_now();
    struct rv_cancel *cancel;
    int r;

    job_await_told(job);
    r = rv_context_with_labels(ctx, &labels, &labelled, NULL);
    if (!job_may_begin(job)) {
        host_log(r == 0 ? labelled : ctx, RV_LOG_WARNING, "does not run: %s",
                 job->end.text ? job->end.text : "its time is over");
        if (r == 0)
            rv_context_unref(labelled);
        return 0;
    }
    if (r == 0) {
        r = rv_context_with_deadline(labelled, job->deadline, &timed, &cancel);
        rv_context_unref(labelled);
    }
    if (r < 0)
        return job_conclude(job, rv_fail(r, "no memory for the job's context"));
    job->job.attempt++;
    note_begin(runner, job);
    rv_context_deadline(timed, &job->job.deadline);
    call.ctx = timed;
    call_begin(&call);
    r = runner->definition->run(timed, &job->job, runner->module->bound.state);
    call_end(&call);
    if (r == -ETIMEDOUT && rv_context_err(timed) == -ETIMEDOUT && rv_error_text(r)[0] == '\0')
        rv_fail_text(r, "not done within %s",
                     duration_format(job->job.deadline - begun, limit, sizeof(limit)));
    if (r < 0)
        log_failure(timed, &job->job, r);
    rv_context_cancel(cancel, 0, "the job has returned");
    rv_context_unref(timed);
    return job_conclude(job, r);
}

void job_ended(const struct rv_outcome *end, void *arg)
{
    struct pool_runner *runner = arg;
    struct host_job *job = end->arg;
    struct rv_outcome mine = *end;
    bool timed_out;

    job_await_told(job);
    pthread_mutex_lock(&runner->lock);
    timed_out = job->end.reached;
    if (timed_out) {
        mine.kind = RV_OUTCOME_FAILED;
        mine.code = job->end.code;
        mine.text = job->end.text ? job->end.text : "";
    }
    job->end.reached = true;
    pthread_mutex_unlock(&runner->lock);
    if (mine.text[0] == '\0' && mine.code < 0)
        mine.text = strerror(-mine.code);
    if (mine.kind == RV_OUTCOME_LOST) {
        pthread_mutex_lock(&runner->module->lock);
        runner->module->lost++;
        pthread_mutex_unlock(&runner->module->lock);
    }
    if (job->job.attempt == 0 && mine.kind == RV_OUTCOME_FAILED && !timed_out)
        host_log(runner->module->work, RV_LOG_WARNING, "%s: job %llu failed before it began: %s",
                 jobs_name(runner), (unsigned long long)job->job.id, mine.text);
    if (runner->definition->ended)
        runner->definition->ended(&job->job, mine.code, runner->module->bound.state);
    note_end(runner, job, &mine);
    module_note_progress(runner->module);
    if (!job->end.answered)
        job_answer(runner, job->request, job->job.id, mine.code, job_time(job), mine.text);
    job_drop(job);
}
