/* SPDX-License-Identifier: MIT */
/*
 * Metrics as tables: each family has a name in base units, a type, a help text, and a function that
 * reads its value. docs/metrics.md lists them for people; a test compares the two.
 */
#include "daemon/edge/metrics/metrics.h"

#include "base/duration.h"
#include "daemon/edge/metrics/exposition.h"
#include "daemon/edge/metrics/metrics_usage.h"
#include "daemon/unit/unit.h"

static double to_seconds(int64_t ns)
{
    return (double)ns / NSEC_PER_SEC;
}

/* When something was, that the snapshot knows by the monotonic clock; 0 for never. */
static double to_epoch(const struct snapshot *snapshot, int64_t monotonic)
{
    return monotonic == 0 ? 0
                          : to_seconds(snapshot->taken_realtime - (snapshot->taken - monotonic));
}

static double to_level(enum health health)
{
    return health == HEALTH_PASS ? 1 : health == HEALTH_WARN ? 0.5 : 0;
}

/* The daemon -------------------------------------------------------------- */

static void write_daemon(const struct exposition *exposition, const struct snapshot *snapshot,
                         size_t connections)
{
    static const struct metric build = {"reeve_build", INFO, "The version of reeved."};
    const struct label labels[METRIC_LABELS] = {{"version", REEVE_VERSION}};
    const struct {
        struct metric metric;
        double value;
    } metrics[] = {
        {{"reeve_ready", GAUGE, "Whether /readyz answers 200."}, snapshot->ready},
        {{"reeve_health", GAUGE, "1 pass, 0.5 warn, 0 fail."}, to_level(snapshot->health)},
        {{"reeve_draining", GAUGE, "Whether the daemon has begun to stop."},
         snapshot->phase >= PHASE_DRAINING},
        {{"reeve_uptime_seconds", GAUGE, "Time since the daemon started."},
         to_seconds(snapshot->taken - snapshot->started_at)},
        {{"reeve_http_connections", GAUGE, "Open connections of probes."}, (double)connections},
        {{"reeve_reloads", COUNTER, "Reloads of the configuration that ended."},
         (double)snapshot->reloads.ended},
        {{"reeve_reload_failures", COUNTER, "Those of them that ended with an error."},
         (double)snapshot->reloads.failed},
        {{"reeve_last_reload_successful", GAUGE,
          "Whether the last reload, or else the start, had no error."},
         !snapshot->reloads.last_failed},
    };

    exposition_family(exposition, &build);
    exposition_sample(exposition, &build, labels, 1);
    for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
        exposition_family(exposition, &metrics[i].metric);
        exposition_sample(exposition, &metrics[i].metric, NULL, metrics[i].value);
    }
}

/* Modules ----------------------------------------------------------------- */

#define EACH_MODULE(snapshot, m)                                \
    for (const struct snapshot_module *m = (snapshot)->modules; \
         m < (snapshot)->modules + (snapshot)->module_count; m++)

/* part is the task's or pool's name, or NULL. */
#define MODULE_LABELS(m, part_label, part) \
    (const struct label[METRIC_LABELS])    \
    {                                      \
        {"module", (m)->name},             \
        {                                  \
            part_label, part               \
        }                                  \
    }

#define MODULE_METRIC(function, expression)                                   \
    static double module_##function(const struct snapshot *s _unused_,        \
                                    const struct snapshot_module *m _unused_) \
    {                                                                         \
        return (double)(expression);                                          \
    }
MODULE_METRIC(ready, m->ready)
MODULE_METRIC(health, to_level(m->health))
MODULE_METRIC(essential, m->essential)
MODULE_METRIC(state_since, to_epoch(s, m->state_since))
MODULE_METRIC(starts, m->starts)
MODULE_METRIC(restarts, m->restarts)
MODULE_METRIC(crashes, m->crashes)
MODULE_METRIC(hangs, m->hangs)
MODULE_METRIC(jobs_lost, m->jobs_lost)

static const struct module_metric {
    struct metric metric;
    double (*value)(const struct snapshot *snapshot, const struct snapshot_module *module);
} module_metrics[] = {
    {{"reeve_module_ready", GAUGE, "Whether the module is ready."}, module_ready},
    {{"reeve_module_health", GAUGE, "1 pass, 0.5 warn, 0 fail."}, module_health},
    {{"reeve_module_essential", GAUGE, "Whether the module's failure is the daemon's."},
     module_essential},
    {{"reeve_module_state_since_timestamp_seconds", GAUGE,
      "When the module entered its present state."},
     module_state_since},
    {{"reeve_module_starts", COUNTER, "Starts of the module."}, module_starts},
    {{"reeve_module_restarts", COUNTER, "Restarts after the module ended by itself."},
     module_restarts},
    {{"reeve_module_crashes", COUNTER, "Times that a crash was recorded in the module."},
     module_crashes},
    {{"reeve_module_hangs", COUNTER,
      "Times that the module's host was killed since something of it went on for too long."},
     module_hangs},
    {{"reeve_module_jobs_lost", COUNTER, "Jobs lost with hosts that ended."}, module_jobs_lost},
};

/* All states, so that a query for one finds it whether or not the module is in it. */
static void write_states(const struct exposition *exposition, const struct snapshot *snapshot)
{
    static const struct metric metric = {"reeve_module_state", GAUGE,
                                         "1 for the state that the module is in, 0 for others."};

    exposition_family(exposition, &metric);
    EACH_MODULE(snapshot, m)
    for (int state = 0; state < UNIT_STATE_COUNT; state++)
        exposition_sample(exposition, &metric,
                          MODULE_LABELS(m, "state", unit_state_name((enum unit_state)state)),
                          m->state == (enum unit_state)state);
}

static void write_modules(const struct exposition *exposition, const struct snapshot *snapshot)
{
    write_states(exposition, snapshot);
    for (size_t i = 0; i < ARRAY_SIZE(module_metrics); i++) {
        const struct module_metric *metric = &module_metrics[i];

        exposition_family(exposition, &metric->metric);
        EACH_MODULE(snapshot, m)
        exposition_sample(exposition, &metric->metric, MODULE_LABELS(m, NULL, NULL),
                          metric->value(snapshot, m));
    }
}

/* Tasks ------------------------------------------------------------------- */

#define TASK_METRIC(function, expression)                            \
    static double task_##function(const struct snapshot *s _unused_, \
                                  const struct snapshot_task *task)  \
    {                                                                \
        const struct scoreboard_task *t _unused_ = task->record;     \
                                                                     \
        return (double)(expression);                                 \
    }
TASK_METRIC(health, to_level(task->health))
TASK_METRIC(runs, t->runs)
TASK_METRIC(failures, t->failures)
TASK_METRIC(timeouts, t->timeouts)
TASK_METRIC(cancels, t->cancels)
TASK_METRIC(skipped, t->skipped)
TASK_METRIC(in_row, t->failures_in_row)
TASK_METRIC(interval, to_seconds(t->interval))
TASK_METRIC(next_due, to_epoch(s, t->next_due))
TASK_METRIC(last_seconds, to_seconds(t->last_duration))
TASK_METRIC(running, scoreboard_task_is_running(t))
TASK_METRIC(last_start, to_seconds(t->started_realtime))
TASK_METRIC(last_success, to_epoch(s, t->succeeded_at))
TASK_METRIC(worst_lateness, to_seconds(t->worst_lateness))
TASK_METRIC(worst_cancel, to_seconds(t->worst_cancel))

static const struct task_metric {
    struct metric metric;
    double (*value)(const struct snapshot *snapshot, const struct snapshot_task *task);
} task_metrics[] = {
    {{"reeve_task_health", GAUGE, "1 pass, 0.5 warn, 0 fail."}, task_health},
    {{"reeve_task_runs", COUNTER, "Runs that ended."}, task_runs},
    {{"reeve_task_failures", COUNTER, "Runs that ended with an error."}, task_failures},
    {{"reeve_task_timeouts", COUNTER, "Runs that were cancelled by their timeout."}, task_timeouts},
    {{"reeve_task_cancels", COUNTER, "Runs that were cancelled by a stop."}, task_cancels},
    {{"reeve_task_skipped", COUNTER,
      "Points of the schedule without a run: one was under way, or nothing ran."},
     task_skipped},
    {{"reeve_task_consecutive_failures", GAUGE,
      "Failures since the last success, runs that were lost with their host included."},
     task_in_row},
    {{"reeve_task_interval_seconds", GAUGE, "The task's interval; 0 for none."}, task_interval},
    {{"reeve_task_running", GAUGE, "Whether a run is under way."}, task_running},
    {{"reeve_task_next_due_timestamp_seconds", GAUGE,
      "When the next run should start; 0 when none is planned."},
     task_next_due},
    {{"reeve_task_last_start_timestamp_seconds", GAUGE, "When a run last started; 0 for never."},
     task_last_start},
    {{"reeve_task_last_success_timestamp_seconds", GAUGE,
      "When a run last succeeded; 0 for never."},
     task_last_success},
    {{"reeve_task_last_duration_seconds", GAUGE, "Duration of the last run."}, task_last_seconds},
    {{"reeve_task_worst_lateness_seconds", GAUGE, "Longest delay of a start."},
     task_worst_lateness},
    {{"reeve_task_worst_cancel_seconds", GAUGE, "Longest time that a run took to honour a cancel."},
     task_worst_cancel},
};

static const struct task_histogram {
    struct metric metric;
    size_t offset; /* in the record */
} task_histograms[] = {
    {{"reeve_task_run_duration_seconds", HISTOGRAM, "How long the runs that ended took."},
     offsetof(struct scoreboard_task, run_duration)},
    {{"reeve_task_lateness_seconds", HISTOGRAM, "How long after their time planned runs started."},
     offsetof(struct scoreboard_task, lateness)},
};

static void write_tasks(const struct exposition *exposition, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < ARRAY_SIZE(task_metrics); i++) {
        const struct task_metric *metric = &task_metrics[i];

        exposition_family(exposition, &metric->metric);
        EACH_MODULE(snapshot, m)
        for (size_t t = 0; t < m->task_count; t++)
            exposition_sample(exposition, &metric->metric,
                              MODULE_LABELS(m, "task", m->tasks[t].record->name),
                              metric->value(snapshot, &m->tasks[t]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(task_histograms); i++) {
        const struct task_histogram *metric = &task_histograms[i];

        exposition_family(exposition, &metric->metric);
        EACH_MODULE(snapshot, m)
        for (size_t t = 0; t < m->task_count; t++) {
            const struct scoreboard_task *record = m->tasks[t].record;

            exposition_histogram(exposition, &metric->metric,
                                 MODULE_LABELS(m, "task", record->name),
                                 (const void *)((const char *)record + metric->offset));
        }
    }
}

/* Pools ------------------------------------------------------------------- */

#define POOL_METRIC(function, expression)                            \
    static double pool_##function(const struct snapshot *s _unused_, \
                                  const struct scoreboard_pool *p)   \
    {                                                                \
        return (double)(expression);                                 \
    }
POOL_METRIC(workers, p->workers)
POOL_METRIC(capacity, p->capacity)
POOL_METRIC(queued, p->queued)
POOL_METRIC(active, p->active)
POOL_METRIC(accepted, p->accepted)
POOL_METRIC(finished, p->finished)
POOL_METRIC(failed, p->failed)
POOL_METRIC(lost, p->lost)
POOL_METRIC(rejected, p->rejected)
POOL_METRIC(retried, p->retried)
POOL_METRIC(last_success, to_epoch(s, p->succeeded_at))
POOL_METRIC(last_failure, to_epoch(s, p->last_failure_at))

static const struct pool_metric {
    struct metric metric;
    double (*value)(const struct snapshot *snapshot, const struct scoreboard_pool *pool);
} pool_metrics[] = {
    {{"reeve_pool_workers", GAUGE, "Workers of the pool."}, pool_workers},
    {{"reeve_pool_queue_capacity", GAUGE, "Jobs that the queue can hold."}, pool_capacity},
    {{"reeve_pool_queued", GAUGE, "Jobs in the queue."}, pool_queued},
    {{"reeve_pool_active", GAUGE, "Jobs being worked on."}, pool_active},
    {{"reeve_pool_jobs_accepted", COUNTER, "Jobs accepted."}, pool_accepted},
    {{"reeve_pool_jobs_finished", COUNTER, "Jobs that succeeded."}, pool_finished},
    {{"reeve_pool_jobs_failed", COUNTER, "Jobs that failed, after all retries."}, pool_failed},
    {{"reeve_pool_jobs_lost", COUNTER, "Jobs that were accepted and never ended."}, pool_lost},
    {{"reeve_pool_jobs_rejected", COUNTER, "Jobs refused: queue full, stopping, or too large."},
     pool_rejected},
    {{"reeve_pool_job_retries", COUNTER, "Attempts after the first."}, pool_retried},
    {{"reeve_pool_last_success_timestamp_seconds", GAUGE,
      "When a job last succeeded; 0 for never."},
     pool_last_success},
    {{"reeve_pool_last_failure_timestamp_seconds", GAUGE,
      "When a job last failed, other than by data that can never be right, or was lost; 0 for never."},
     pool_last_failure},
};

static const struct pool_histogram {
    struct metric metric;
    size_t offset;
} pool_histograms[] = {
    {{"reeve_pool_job_duration_seconds", HISTOGRAM,
      "How long jobs took that finished or failed: their last attempts."},
     offsetof(struct scoreboard_pool, job_duration)},
    {{"reeve_pool_job_wait_seconds", HISTOGRAM,
      "How long jobs waited for their first attempt, with the time that a full queue held up who "
      "submitted them."},
     offsetof(struct scoreboard_pool, job_wait)},
};

static void write_pools(const struct exposition *exposition, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < ARRAY_SIZE(pool_metrics); i++) {
        const struct pool_metric *metric = &pool_metrics[i];

        exposition_family(exposition, &metric->metric);
        EACH_MODULE(snapshot, m)
        for (size_t p = 0; p < m->pool_count; p++)
            exposition_sample(exposition, &metric->metric,
                              MODULE_LABELS(m, "pool", m->pools[p].name),
                              metric->value(snapshot, &m->pools[p]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(pool_histograms); i++) {
        const struct pool_histogram *metric = &pool_histograms[i];

        exposition_family(exposition, &metric->metric);
        EACH_MODULE(snapshot, m)
        for (size_t p = 0; p < m->pool_count; p++)
            exposition_histogram(exposition, &metric->metric,
                                 MODULE_LABELS(m, "pool", m->pools[p].name),
                                 (const void *)((const char *)&m->pools[p] + metric->offset));
    }
}

static void write_metrics(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                          struct text *text)
{
    const struct exposition exposition = {text, open_metrics};

    write_daemon(&exposition, snapshot, connections);
    write_modules(&exposition, snapshot);
    write_tasks(&exposition, snapshot);
    write_pools(&exposition, snapshot);
    metrics_write_usage(&exposition, snapshot);
    exposition_end(&exposition);
}

static void write_prometheus(const struct documents *documents _unused_,
                             const struct snapshot *snapshot, size_t connections, struct text *text)
{
    write_metrics(snapshot, connections, false, text);
}

static void write_open_metrics(const struct documents *documents _unused_,
                               const struct snapshot *snapshot, size_t connections,
                               struct text *text)
{
    write_metrics(snapshot, connections, true, text);
}

const struct document metrics_document = {"text/plain; version=0.0.4; charset=utf-8",
                                          write_prometheus};
const struct document open_metrics_document = {
    "application/openmetrics-text; version=1.0.0; charset=utf-8", write_open_metrics};
