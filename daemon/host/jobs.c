/* SPDX-License-Identifier: MIT */
#include "daemon/host/jobs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/host/board.h"
#include "daemon/host/drain.h"
#include "daemon/host/log_sink.h"
#include "daemon/host/overdue.h"

/*
 * Safety: the lock protects the record, the counts, which go on where an earlier runner of the same name left
 * them, and what tells jobs that came before a mark from later ones. A job counts as accepted once: by who
 * submitted it, or when it begins or ends, which may come before the submit returns. So both hold it.
 */
struct pool_runner {
    struct host_module *module;
    const struct rv_module_pool *definition;
    const struct pool_settings *settings;
    struct rv_pool *pool;
    pthread_mutex_t lock;
    struct scoreboard_pool *record;
    struct {
        uint64_t accepted, finished, failed, lost, rejected;
    } counts;
    uint64_t generation;     /* how often it was marked */
    uint64_t marked;         /* jobs from before the last mark that have not ended */
    struct rv_channel *idle; /* closed when there is none any more, for who waits for it; or NULL */
    uint64_t retried_before;
    _Atomic uint64_t next_id;
};

/* Whose job the thread runs. */
static __thread struct pool_runner *current;

struct host_job {
    struct pool_runner *runner;
    struct rv_job job;
    uint64_t request;
    rv_duration submitted_at; /* what a full queue held its submitter up is part of its waiting */
    rv_duration begun_at;     /* its first attempt; 0: there was none */
    rv_duration timeout;      /* its own; 0: the pool's */
    uint64_t generation;      /* of its runner when it was accepted */
    bool counted;             /* as accepted */
    _Atomic unsigned refs;
    char data[];
};

const char *jobs_name(const struct pool_runner *runner)
{
    return runner->definition->name;
}

static uint64_t count_open(const struct pool_runner *runner)
{
    return runner->counts.accepted - runner->counts.finished - runner->counts.failed -
           runner->counts.lost;
}

/* Between begin_change() and end_change() the record may be written, under the lock. What waits is the
 * pool's own number, and the rest is in flight. */
static struct scoreboard_pool *begin_change(struct pool_runner *runner)
{
    struct scoreboard_pool *record = runner->record;
    struct rv_pool_stats stats;
    uint64_t open = count_open(runner);

    rv_pool_stats(runner->pool, &stats);
    scoreboard_write_begin(record);
    record->workers = stats.workers;
    record->capacity = (uint32_t)stats.capacity;
    record->queued = (uint32_t)MIN(stats.queued, open);
    record->active = (uint32_t)(open - MIN(stats.queued, open));
    record->accepted = runner->counts.accepted;
    record->finished = runner->counts.finished;
    record->failed = runner->counts.failed;
    record->lost = runner->counts.lost;
    record->retried = runner->retried_before + stats.retried;
    record->rejected = runner->counts.rejected;
    return record;
}

bool jobs_are_under_way(struct pool_runner *runner)
{
    struct rv_pool_stats stats;

    /* The pool's own numbers: one that was accepted this moment may not be counted here yet. */
    rv_pool_stats(runner->pool, &stats);
    return stats.queued + stats.active > 0;
}

static void end_change(struct scoreboard_pool *record)
{
    scoreboard_write_end(record);
}

static void publish(struct pool_runner *runner)
{
    end_change(begin_change(runner));
}

/* With the lock. */
static void count_accepted(struct pool_runner *runner, struct host_job *job)
{
    runner->counts.accepted += !job->counted;
    if (!job->counted)
        job->generation = runner->generation;
    job->counted = true;
}

static void drop_job(struct host_job *job)
{
    if (atomic_fetch_sub(&job->refs, 1) == 1)
        free(job);
}

/* It is not in the queue any more. */
static void note_begin(struct pool_runner *runner, struct host_job *job)
{
    struct scoreboard_pool *record;

    if (job->job.attempt == 1)
        job->begun_at = rv_now();
    pthread_mutex_lock(&runner->lock);
    count_accepted(runner, job);
    record = begin_change(runner);
    if (job->job.attempt == 1)
        histogram_observe(&record->job_wait, job->begun_at - job->submitted_at);
    end_change(record);
    pthread_mutex_unlock(&runner->lock);
}

/* With the lock: one less of those that somebody may wait for. */
static void leave_mark(struct pool_runner *runner, const struct host_job *job)
{
    if (job->generation == runner->generation)
        return;
    if (--runner->marked == 0 && runner->idle)
        rv_channel_close(runner->idle);
}

static void note_end(struct pool_runner *runner, struct host_job *job, const struct rv_job_end *end,
                     const char *text)
{
    struct scoreboard_pool *record;

    pthread_mutex_lock(&runner->lock);
    count_accepted(runner, job);
    leave_mark(runner, job);
    runner->counts.finished += end->state == RV_JOB_FINISHED;
    runner->counts.failed += end->state == RV_JOB_FAILED;
    runner->counts.lost += end->state == RV_JOB_LOST;
    record = begin_change(runner);
    if (end->state != RV_JOB_LOST)
        histogram_observe(&record->job_duration, end->duration);
    if (end->state == RV_JOB_FINISHED) {
        record->succeeded_at = rv_now();
    } else {
        record->last_code = end->code;
        record->last_failure_at = rv_now();
        string_copy(record->last_text, sizeof(record->last_text), text);
    }
    end_change(record);
    pthread_mutex_unlock(&runner->lock);
}

/* The time since its first attempt began, pauses included; of a job that never ran, since it was
 * submitted. */
static rv_duration time_of(const struct host_job *job)
{
    return rv_now() - (job->begun_at > 0 ? job->begun_at : job->submitted_at);
}

static void answer(struct pool_runner *runner, uint64_t request, uint64_t id, int code,
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
        module_emit(&message);
}

/* Who submits may ask for any time. */
static rv_duration deadline_after(rv_duration timeout)
{
    rv_duration deadline;

    if (timeout <= 0 || __builtin_add_overflow(rv_now(), timeout, &deadline))
        return RV_FOREVER;
    return deadline;
}

/* Where there is only one attempt, it needs no number. */
static void log_failure(struct rv_context *ctx, const struct rv_job *job, int r)
{
    const char *text = rv_error_text()[0] ? rv_error_text() : strerror(-r);

    if (job->attempts > 1)
        host_log(ctx, RV_LOG_WARNING, "attempt %u of %u failed: %s", job->attempt, job->attempts,
                 text);
    else
        host_log(ctx, RV_LOG_WARNING, "failed: %s", text);
}

static int run_job(struct rv_context *ctx, void *arg)
{
    struct host_job *job = arg;
    struct pool_runner *runner = job->runner;
    struct rv_labels labels = {.task = jobs_name(runner), .run = job->job.id};
    struct rv_context *labelled, *timed;
    struct overdue overdue = {
        .slot = runner->module->slot,
        .name = jobs_name(runner),
        .number = job->job.id,
        .grace = runner->settings->grace,
    };
    int r = rv_context_with_labels(ctx, &labels, &labelled);

    if (r == 0) {
        r = rv_context_with_deadline(labelled, deadline_after(job->timeout), &timed);
        rv_context_unref(labelled);
    }
    if (r < 0)
        return rv_fail(r, "no memory for the job's context");
    job->job.attempt++;
    note_begin(runner, job);
    rv_context_deadline(timed, &job->job.deadline);
    overdue.ctx = timed;
    overdue_begin(&overdue);
    current = runner;
    r = runner->definition->run(timed, &job->job, runner->module->bound.state);
    current = NULL;
    overdue_end(&overdue);
    if (r < 0)
        log_failure(timed, &job->job, r);
    rv_context_cancel(timed, 0, "the job has returned");
    rv_context_unref(timed);
    return r;
}

static void job_ended(const struct rv_job_end *end, void *arg)
{
    struct pool_runner *runner = arg;
    struct host_job *job = end->arg;
    const char *text = end->text[0] || end->code == 0 ? end->text : strerror(-end->code);

    if (end->state == RV_JOB_LOST) {
        pthread_mutex_lock(&runner->module->lock);
        runner->module->lost++;
        pthread_mutex_unlock(&runner->module->lock);
    }
    note_end(runner, job, end, text);
    drain_note_progress(runner->module);
    answer(runner, job->request, job->job.id, end->code, time_of(job), text);
    drop_job(job);
}

int jobs_create(struct host_module *module, const struct rv_module_pool *definition,
                const struct pool_settings *settings, struct pool_runner **ret_runner)
{
    struct pool_runner *runner = calloc(1, sizeof(*runner));
    struct rv_pool_options options = {
        .size = sizeof(options),
        .workers = (unsigned)settings->workers,
        .queue = (size_t)settings->queue,
        .timeout = settings->timeout,
        .retries = (unsigned)settings->retries,
        .backoff = settings->backoff > 0 ? settings->backoff : POOL_BACKOFF,
        .backoff_max = settings->backoff_max,
        .ended = job_ended,
        .arg = runner,
    };
    int r;

    if (!runner)
        return -ENOMEM;
    runner->module = module;
    runner->definition = definition;
    runner->settings = settings;
    pthread_mutex_init(&runner->lock, NULL);
    runner->record = board_pool(module->slot, definition->name);
    runner->counts.accepted = runner->record->accepted;
    runner->counts.finished = runner->record->finished;
    runner->counts.failed = runner->record->failed;
    runner->counts.lost = runner->record->lost;
    runner->counts.rejected = runner->record->rejected;
    runner->retried_before = runner->record->retried;
    runner->next_id = runner->counts.accepted + runner->counts.rejected + 1;
    r = rv_pool_create(module->work, &options, &runner->pool);
    if (r < 0) {
        pthread_mutex_destroy(&runner->lock);
        free(runner);
        return rv_wrap(r, "pool %s with %lld workers", definition->name,
                       (long long)settings->workers);
    }
    pthread_mutex_lock(&runner->lock);
    publish(runner);
    pthread_mutex_unlock(&runner->lock);
    *ret_runner = runner;
    return 0;
}

static struct host_job *make_job(struct pool_runner *runner, const void *data, size_t size)
{
    struct host_job *job = malloc(sizeof(*job) + size + 1);

    if (!job)
        return NULL;
    *job = (struct host_job){.runner = runner, .submitted_at = rv_now(), .refs = 2};
    if (size > 0)
        memcpy(job->data, data, size);
    job->data[size] = '\0';
    job->job = (struct rv_job){
        .id = runner->next_id++,
        .attempts = (unsigned)runner->settings->retries + 1,
        .data = job->data,
        .size = size,
    };
    return job;
}

/* ctx NULL: without blocking. Takes over the job. */
static int submit(struct rv_context *ctx, struct pool_runner *runner, struct host_job *job)
{
    int r = ctx ? rv_pool_submit(ctx, runner->pool, run_job, job)
                : rv_pool_try_submit(runner->pool, run_job, job);

    pthread_mutex_lock(&runner->lock);
    if (r == 0)
        count_accepted(runner, job);
    else
        runner->counts.rejected++;
    publish(runner);
    pthread_mutex_unlock(&runner->lock);
    /* The pool has none. */
    if (r < 0)
        drop_job(job);
    drop_job(job);
    return r;
}

void jobs_submit(struct pool_runner *runner, uint64_t request, rv_duration timeout,
                 const void *data, size_t size)
{
    struct host_job *job = make_job(runner, data, size);
    struct wire_message message = {
        .type = WIRE_ACCEPTED, .module = runner->module->slot, .request = request};
    int r;

    if (!job) {
        answer(runner, request, 0, -ENOMEM, 0, "out of memory");
        return;
    }
    job->request = request;
    job->timeout = timeout;
    message.number = job->job.id;
    message.since = rv_now();
    r = submit(NULL, runner, job);
    if (r == 0 && request != 0) {
        module_emit(&message);
    } else if (r < 0) {
        answer(runner, request, 0, r, 0,
               r == -EAGAIN  ? "the queue is full"
               : r == -EPIPE ? "the module stops"
                             : strerror(-r));
    }
}

int jobs_submit_wait(struct rv_context *ctx, struct pool_runner *runner, const void *data,
                     size_t size)
{
    struct host_job *job = make_job(runner, data, size);

    return job ? submit(ctx, runner, job) : -ENOMEM;
}

void jobs_refuse(struct pool_runner *runner, bool drain_queue, const char *cause)
{
    struct rv_context *done;

    if (!drain_queue) {
        rv_pool_discard(runner->pool, -ECANCELED, cause);
        return;
    }
    /* Draining begins with refusing; a context that is done makes it end there. */
    if (rv_context_with_timeout(rv_context_background(), 0, &done) == 0) {
        rv_pool_drain(done, runner->pool);
        rv_context_unref(done);
    }
}

bool jobs_wait(struct rv_context *ctx, struct pool_runner *runner)
{
    return rv_pool_drain(ctx, runner->pool) == 0;
}

void jobs_mark(struct pool_runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    runner->generation++;
    runner->marked = count_open(runner);
    pthread_mutex_unlock(&runner->lock);
}

bool jobs_are_marked(struct pool_runner *runner)
{
    bool any;

    pthread_mutex_lock(&runner->lock);
    any = runner->marked > 0;
    pthread_mutex_unlock(&runner->lock);
    return any;
}

bool jobs_wait_marked(struct rv_context *ctx, struct pool_runner *runner)
{
    struct rv_channel *idle;
    char nothing;
    bool any;

    if (rv_channel_create(1, 0, &idle) < 0)
        return false;
    pthread_mutex_lock(&runner->lock);
    any = runner->marked > 0;
    runner->idle = idle;
    pthread_mutex_unlock(&runner->lock);
    if (any)
        any = rv_channel_recv(ctx, idle, &nothing) != -EPIPE;
    pthread_mutex_lock(&runner->lock);
    runner->idle = NULL;
    pthread_mutex_unlock(&runner->lock);
    rv_channel_unref(idle);
    return !any;
}

void jobs_cancel(struct pool_runner *runner)
{
    rv_pool_cancel(runner->pool, -ECANCELED, "the module stops");
}

void jobs_destroy(struct pool_runner *runner)
{
    rv_pool_destroy(runner->pool);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}

bool jobs_progress(const char *text)
{
    struct pool_runner *runner = current;

    if (!runner)
        return false;
    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(runner->record);
    string_copy(runner->record->progress, sizeof(runner->record->progress), text);
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
    drain_note_progress(runner->module);
    return true;
}
