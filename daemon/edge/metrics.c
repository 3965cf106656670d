/* SPDX-License-Identifier: MIT */
/*
 * Metrics as a table: each family has a name in base units, a type, a help text, and a function
 * that reads its value. Two text formats differ little: in OpenMetrics a counter's family has no
 * "_total", and the exposition ends with "# EOF".
 */
#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "daemon/edge/edge_internal.h"

enum metric_type { GAUGE, COUNTER };

/* Label values may hold anything; names that we write do not. */
static void append_label(struct text *text, const char *name, const char *value)
{
    text_append_format(text, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            text_append_bytes(text, "\\", 1);
        if (*value == '\n')
            text_append(text, "\\n");
        else
            text_append_bytes(text, value, 1);
    }
    text_append_bytes(text, "\"", 1);
}

static void append_family(struct text *text, const char *name, enum metric_type type,
                          const char *help, bool open_metrics)
{
    const char *total = type == COUNTER && !open_metrics ? "_total" : "";

    text_append_format(text, "# HELP reeve_%s%s %s\n# TYPE reeve_%s%s %s\n", name, total, help,
                       name, total, type == COUNTER ? "counter" : "gauge");
}

/* part is the task's or pool's label, or NULL. */
static void append_sample(struct text *text, const char *name, enum metric_type type,
                          const char *module, const char *part_label, const char *part,
                          double value)
{
    text_append_format(text, "reeve_%s%s", name, type == COUNTER ? "_total" : "");
    if (module) {
        text_append_bytes(text, "{", 1);
        append_label(text, "module", module);
        if (part) {
            text_append_bytes(text, ",", 1);
            append_label(text, part_label, part);
        }
        text_append_bytes(text, "}", 1);
    }
    text_append_format(text, " %.17g\n", value);
}

static double to_seconds(int64_t ns)
{
    return (double)ns / NSEC_PER_SEC;
}

/* Modules ----------------------------------------------------------------------------------------
 */

#define MODULE_METRIC(function, expression)                          \
    static double module_##function(const struct snapshot_module *m) \
    {                                                                \
        return (double)(expression);                                 \
    }
MODULE_METRIC(ready, m->ready)
MODULE_METRIC(health, m->health == HEALTH_PASS ? 1 : m->health == HEALTH_WARN ? 0.5 : 0)
MODULE_METRIC(starts, m->starts)
MODULE_METRIC(restarts, m->restarts)
MODULE_METRIC(jobs_lost, m->jobs_lost)

static const struct module_metric {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*value)(const struct snapshot_module *module);
} module_metrics[] = {
    {"module_ready", GAUGE, "Whether the module is ready.", module_ready},
    {"module_health", GAUGE, "1 pass, 0.5 warn, 0 fail.", module_health},
    {"module_starts", COUNTER, "Starts of the module.", module_starts},
    {"module_restarts", COUNTER, "Restarts after the module ended by itself.", module_restarts},
    {"module_jobs_lost", COUNTER, "Jobs lost with hosts that ended.", module_jobs_lost},
};

/* Tasks ------------------------------------------------------------------------------------------
 */

#define TASK_METRIC(function, expression)                          \
    static double task_##function(const struct snapshot *s unused, \
                                  const struct scoreboard_task *t) \
    {                                                              \
        return (double)(expression);                               \
    }
TASK_METRIC(runs, t->runs)
TASK_METRIC(failures, t->failures)
TASK_METRIC(timeouts, t->timeouts)
TASK_METRIC(cancels, t->cancels)
TASK_METRIC(skipped, t->skipped)
TASK_METRIC(seconds, to_seconds(t->total_duration))
TASK_METRIC(last_seconds, to_seconds(t->last_duration))
TASK_METRIC(running, t->state == SCOREBOARD_TASK_RUNNING || t->state == SCOREBOARD_TASK_CANCELLED)
TASK_METRIC(last_success,
            t->succeeded_at == 0 ? 0 : to_seconds(s->taken_realtime - (s->taken - t->succeeded_at)))
TASK_METRIC(worst_lateness, to_seconds(t->worst_lateness))
TASK_METRIC(worst_cancel, to_seconds(t->worst_cancel))

static const struct task_metric {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*value)(const struct snapshot *snapshot, const struct scoreboard_task *task);
} task_metrics[] = {
    {"task_runs", COUNTER, "Runs that ended.", task_runs},
    {"task_failures", COUNTER, "Runs that ended with an error.", task_failures},
    {"task_timeouts", COUNTER, "Runs that were cancelled by their timeout.", task_timeouts},
    {"task_cancels", COUNTER, "Runs that were cancelled by a stop.", task_cancels},
    {"task_skipped", COUNTER, "Ticks that found the task still running.", task_skipped},
    {"task_duration_seconds", COUNTER, "Time spent in runs that ended.", task_seconds},
    {"task_last_duration_seconds", GAUGE, "Duration of the last run.", task_last_seconds},
    {"task_running", GAUGE, "Whether a run is under way.", task_running},
    {"task_last_success_timestamp_seconds", GAUGE, "When a run last succeeded; 0 for never.",
     task_last_success},
    {"task_worst_lateness_seconds", GAUGE, "Longest delay of a start.", task_worst_lateness},
    {"task_worst_cancel_seconds", GAUGE, "Longest time that a run took to honour a cancel.",
     task_worst_cancel},
};

/* Pools ------------------------------------------------------------------------------------------
 */

#define POOL_METRIC(function, expression)                          \
    static double pool_##function(const struct scoreboard_pool *p) \
    {                                                              \
        return (double)(expression);                               \
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
POOL_METRIC(seconds, to_seconds(p->total_duration))

static const struct pool_metric {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*value)(const struct scoreboard_pool *pool);
} pool_metrics[] = {
    {"pool_workers", GAUGE, "Workers of the pool.", pool_workers},
    {"pool_queue_capacity", GAUGE, "Jobs that the queue can hold.", pool_capacity},
    {"pool_queued", GAUGE, "Jobs in the queue.", pool_queued},
    {"pool_active", GAUGE, "Jobs being worked on.", pool_active},
    {"pool_jobs_accepted", COUNTER, "Jobs accepted.", pool_accepted},
    {"pool_jobs_finished", COUNTER, "Jobs that succeeded.", pool_finished},
    {"pool_jobs_failed", COUNTER, "Jobs that failed, retries included.", pool_failed},
    {"pool_jobs_lost", COUNTER, "Jobs that were accepted and never ended.", pool_lost},
    {"pool_jobs_rejected", COUNTER, "Jobs refused: queue full, stopping, or too large.",
     pool_rejected},
    {"pool_job_retries", COUNTER, "Attempts after the first.", pool_retried},
    {"pool_job_duration_seconds", COUNTER, "Time spent in jobs.", pool_seconds},
};

static void write_daemon(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                         struct text *text)
{
    append_family(text, "ready", GAUGE, "Whether /readyz answers 200.", open_metrics);
    append_sample(text, "ready", GAUGE, NULL, NULL, NULL, snapshot->ready);
    append_family(text, "health", GAUGE, "1 pass, 0.5 warn, 0 fail.", open_metrics);
    append_sample(text, "health", GAUGE, NULL, NULL, NULL,
                  snapshot->health == HEALTH_PASS   ? 1
                  : snapshot->health == HEALTH_WARN ? 0.5
                                                    : 0);
    append_family(text, "uptime_seconds", GAUGE, "Time since the daemon started.", open_metrics);
    append_sample(text, "uptime_seconds", GAUGE, NULL, NULL, NULL,
                  to_seconds(snapshot->taken - snapshot->started_at));
    append_family(text, "http_connections", GAUGE, "Open connections of probes.", open_metrics);
    append_sample(text, "http_connections", GAUGE, NULL, NULL, NULL, (double)connections);
}

#define EACH_MODULE(snapshot, m)                                \
    for (const struct snapshot_module *m = (snapshot)->modules; \
         m < (snapshot)->modules + (snapshot)->module_count; m++)

static void write_modules(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(module_metrics); i++) {
        const struct module_metric *metric = &module_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        append_sample(text, metric->name, metric->type, m->name, NULL, NULL, metric->value(m));
    }
}

static void write_tasks(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(task_metrics); i++) {
        const struct task_metric *metric = &task_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        for (size_t t = 0; t < m->task_count; t++)
            append_sample(text, metric->name, metric->type, m->name, "task",
                          m->tasks[t].record.name, metric->value(snapshot, &m->tasks[t].record));
    }
}

static void write_pools(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(pool_metrics); i++) {
        const struct pool_metric *metric = &pool_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        for (size_t p = 0; p < m->pool_count; p++)
            append_sample(text, metric->name, metric->type, m->name, "pool", m->pools[p].name,
                          metric->value(&m->pools[p]));
    }
}

void metrics_write(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                   struct text *text)
{
    write_daemon(snapshot, connections, open_metrics, text);
    write_modules(snapshot, open_metrics, text);
    write_tasks(snapshot, open_metrics, text);
    write_pools(snapshot, open_metrics, text);
    if (open_metrics)
        text_append(text, "# EOF\n");
}
