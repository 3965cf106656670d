/* SPDX-License-Identifier: MIT */
#include "host/pool/jobs_internal.h"
#include "host/report/event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/report/board.h"
#include "host/sandbox/sandbox.h"
#include "wire/scoreboard.h"

const char *jobs_name(const struct pool_runner *runner)
{
    return runner->definition->name;
}

static uint64_t count_open(const struct pool_runner *runner)
{
    return runner->counts.accepted - runner->counts.finished - runner->counts.failed -
           runner->counts.lost;
}

/* The jobs that wait are the pool's own number, and the rest is in flight. */
struct scoreboard_pool *jobs_begin_change(struct pool_runner *runner)
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

void jobs_end_change(struct scoreboard_pool *record)
{
    scoreboard_write_end(record);
}

static void publish(struct pool_runner *runner)
{
    jobs_end_change(jobs_begin_change(runner));
}

int jobs_create(struct host_module *module, const struct rv_module_pool *definition,
                const struct pool_settings *settings, struct pool_runner **ret_runner)
{
    struct pool_runner *runner = calloc(1, sizeof(*runner));
    struct rv_pool_options options = {
        .size = sizeof(options),
        .workers = (unsigned)settings->workers,
        .queue = (size_t)settings->queue,
        .timeout = settings->timeout > 0 ? settings->timeout : RV_FOREVER,
        .retries = (unsigned)settings->retries,
        .backoff = MAX(settings->backoff, 1),
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
    if (!runner->record) {
        pthread_mutex_destroy(&runner->lock);
        free(runner);
        return board_refuse("pool", definition->name, SCOREBOARD_POOLS);
    }
    runner->counts.accepted = runner->record->accepted;
    runner->counts.finished = runner->record->finished;
    runner->counts.failed = runner->record->failed;
    runner->counts.lost = runner->record->lost;
    runner->counts.rejected = runner->record->rejected;
    runner->retried_before = runner->record->retried;
    runner->next_id = runner->counts.accepted + runner->counts.rejected + 1;
    r = rv_channel_create(1, 1, &runner->idle);
    if (r == 0)
        r = rv_pool_create(module->work, &options, &runner->pool);
    if (r < 0) {
        rv_channel_unref(runner->idle);
        pthread_mutex_destroy(&runner->lock);
        free(runner);
        return sandbox_explain_want(rv_wrap(r, "pool %s with %lld workers", definition->name,
                                            (long long)settings->workers));
    }
    pthread_mutex_lock(&runner->lock);
    publish(runner);
    pthread_mutex_unlock(&runner->lock);
    *ret_runner = runner;
    return 0;
}

/* ctx NULL: without blocking. Takes over the job. */
static int submit(struct rv_context *ctx, struct pool_runner *runner, struct host_job *job)
{
    int r = ctx ? rv_pool_submit(ctx, runner->pool, job_run, job)
                : rv_pool_try_submit(runner->pool, job_run, job);

    pthread_mutex_lock(&runner->lock);
    if (r == 0)
        job_count(runner, job);
    else
        runner->counts.rejected++;
    publish(runner);
    pthread_mutex_unlock(&runner->lock);
    /* The pool has none. */
    if (r < 0)
        job_drop(job);
    return r;
}

void jobs_submit(struct pool_runner *runner, uint64_t request, rv_duration timeout,
                 const void *data, size_t size)
{
    struct host_job *job = job_create(runner, false, data, size);
    struct wire_message message = {
        .type = WIRE_ACCEPTED, .module = runner->module->slot, .request = request};
    int r;

    if (!job) {
        job_answer(runner, request, 0, -ENOMEM, 0, "out of memory");
        return;
    }
    job->request = request;
    if (job_set_deadline(job, timeout) < 0) {
        job_drop(job);
        job_drop(job);
        job_answer(runner, request, 0, -ENOMEM, 0, "out of memory");
        return;
    }
    message.number = job->job.id;
    message.since = rv_now();
    pthread_mutex_lock(&job->told);
    r = submit(NULL, runner, job);
    if (r == 0 && request != 0)
        event_send(&message);
    pthread_mutex_unlock(&job->told);
    job_drop(job);
    if (r < 0)
        job_answer(runner, request, 0, r, 0,
                   r == -EAGAIN  ? "the queue is full"
                   : r == -EPIPE ? "the module stops"
                                 : strerror(-r));
}

int jobs_submit_wait(struct rv_context *ctx, struct pool_runner *runner, const void *data,
                     size_t size)
{
    struct host_job *job = job_create(runner, true, data, size);
    int r;

    if (!job)
        return rv_fail(-ENOMEM, "submit a job to %s", jobs_name(runner));
    r = submit(ctx, runner, job);
    job_drop(job);
    return r;
}

/* Once tasks are cancelled. */
void jobs_refuse(struct pool_runner *runner, bool drain_queue, const char *cause)
{
    /* Draining begins with refusing; a context that is done makes it end there. */
    if (drain_queue)
        (void)!rv_pool_drain(runner->module->tasks, runner->pool);
    else
        rv_pool_discard(runner->pool, -ECANCELED, "%s", cause);
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
    bool any = jobs_are_marked(runner);
    char token;

    /* One may be from a wait before. */
    while (any && rv_channel_recv(ctx, runner->idle, &token) == 0)
        any = jobs_are_marked(runner);
    return !any;
}

void jobs_cancel(struct pool_runner *runner)
{
    rv_pool_cancel(runner->pool, -ECANCELED, "the module stops");
}

void jobs_destroy(struct pool_runner *runner)
{
    rv_pool_destroy(runner->pool);
    rv_channel_unref(runner->idle);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}
