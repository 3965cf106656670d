/* SPDX-License-Identifier: MIT */
/* The time that whoever submits a job gives it: for the queue, all attempts, and the pauses between
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "host/pool/jobs_internal.h"
#include "host/report/log_sink.h"

/* With the lock. */
static void reach_end(struct host_job *job, int code, const char *text)
{
    job->end.reached = true;
    job->end.code = code;
    job->end.text = strdup(text);
}

/* With the lock. */
static void run_out(struct host_job *job)
{
    char text[160], limit[DURATION_TEXT_SIZE];

    duration_format(job->timeout, limit, sizeof(limit));
    if (job->job.attempt == 0)
        snprintf(text, sizeof(text), "its time of %s was over before it could begin", limit);
    else
        snprintf(text, sizeof(text), "its time of %s was over before attempt %u of %u", limit,
                 job->job.attempt + 1, job->job.attempts);
    reach_end(job, -ETIMEDOUT, text);
}

/* Once the time is over or the module's work is cancelled. The job still has its place in the
 * queue; who takes it finds that it has ended. */
static void time_over(struct alarm *alarm)
{
    struct host_job *job = container_of(alarm, struct host_job, alarm);
    struct pool_runner *runner = job->runner;
    bool answers;

    if (rv_context_err(job->timed) != -ETIMEDOUT)
        return;
    job_await_told(job);
    pthread_mutex_lock(&runner->lock);
    answers = !job->running && !job->end.reached;
    if (answers) {
        run_out(job);
        job->end.answered = true;
    }
    pthread_mutex_unlock(&runner->lock);
    if (answers)
        job_answer(runner, job->request, job->job.id, job->end.code, job_time(job),
                   job->end.text ? job->end.text : strerror(ETIMEDOUT));
}

int job_set_deadline(struct host_job *job, rv_duration timeout)
{
    int r;

    if (timeout <= 0 || __builtin_add_overflow(job->submitted_at, timeout, &job->deadline)) {
        job->deadline = RV_NEVER;
        return 0;
    }
    job->timeout = timeout;
    r = rv_context_with_deadline(job->runner->module->work, job->deadline, &job->timed, NULL);
    if (r < 0)
        return r;
    job->alarm.fn = time_over;
    alarm_begin(&job->alarm, job->timed);
    return 0;
}

void job_forget_deadline(struct host_job *job)
{
    if (job->timed)
        alarm_end(&job->alarm);
    rv_context_unref(job->timed);
    free(job->end.text);
}

bool job_may_begin(struct host_job *job)
{
    struct pool_runner *runner = job->runner;
    bool may;

    pthread_mutex_lock(&runner->lock);
    if (!job->end.reached && rv_now() >= job->deadline)
        run_out(job);
    may = !job->end.reached;
    job->running = may;
    pthread_mutex_unlock(&runner->lock);
    return may;
}

/* Whether the pause before the next attempt leaves time for one: a quarter may be off it. */
static bool has_time(const struct host_job *job)
{
    const struct pool_settings *settings = job->runner->settings;
    rv_duration pause = settings->backoff;

    for (unsigned i = 1; i < job->job.attempt && pause < settings->backoff_max / 2; i++)
        pause *= 2;
    return MIN(pause, settings->backoff_max) / 4 * 3 < job->deadline - rv_now();
}

int job_conclude(struct host_job *job, int r)
{
    struct pool_runner *runner = job->runner;
    bool last;

    pthread_mutex_lock(&runner->lock);
    job->running = false;
    last = r < 0 && job->job.attempt < job->job.attempts && !has_time(job);
    if (last)
        reach_end(job, r, rv_error_text(r));
    pthread_mutex_unlock(&runner->lock);
    return last ? 0 : r;
}
