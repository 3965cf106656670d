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
#include "daemon/supervisor/bill.h"

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

    text_append_format(text, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, total, help, name, total,
                       type == COUNTER ? "counter" : "gauge");
}

struct label {
    const char *name;
    const char *value;
};

/* Two labels; one whose value is NULL is left out. */
static void append_sample(struct text *text, const char *name, enum metric_type type,
                          const struct label labels[2], double value)
{
    const char *before = "{";

    text_append_format(text, "%s%s", name, type == COUNTER ? "_total" : "");
    for (size_t i = 0; labels && i < 2; i++) {
        if (!labels[i].value)
            continue;
        text_append(text, before);
        append_label(text, labels[i].name, labels[i].value);
        before = ",";
    }
    if (strcmp(before, ",") == 0)
        text_append_bytes(text, "}", 1);
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
    {"reeve_module_ready", GAUGE, "Whether the module is ready.", module_ready},
    {"reeve_module_health", GAUGE, "1 pass, 0.5 warn, 0 fail.", module_health},
    {"reeve_module_starts", COUNTER, "Starts of the module.", module_starts},
    {"reeve_module_restarts", COUNTER, "Restarts after the module ended by itself.",
     module_restarts},
    {"reeve_module_jobs_lost", COUNTER, "Jobs lost with hosts that ended.", module_jobs_lost},
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
    {"reeve_task_runs", COUNTER, "Runs that ended.", task_runs},
    {"reeve_task_failures", COUNTER, "Runs that ended with an error.", task_failures},
    {"reeve_task_timeouts", COUNTER, "Runs that were cancelled by their timeout.", task_timeouts},
    {"reeve_task_cancels", COUNTER, "Runs that were cancelled by a stop.", task_cancels},
    {"reeve_task_skipped", COUNTER, "Ticks that found the task still running.", task_skipped},
    {"reeve_task_duration_seconds", COUNTER, "Time spent in runs that ended.", task_seconds},
    {"reeve_task_last_duration_seconds", GAUGE, "Duration of the last run.", task_last_seconds},
    {"reeve_task_running", GAUGE, "Whether a run is under way.", task_running},
    {"reeve_task_last_success_timestamp_seconds", GAUGE, "When a run last succeeded; 0 for never.",
     task_last_success},
    {"reeve_task_worst_lateness_seconds", GAUGE, "Longest delay of a start.", task_worst_lateness},
    {"reeve_task_worst_cancel_seconds", GAUGE, "Longest time that a run took to honour a cancel.",
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
    {"reeve_pool_workers", GAUGE, "Workers of the pool.", pool_workers},
    {"reeve_pool_queue_capacity", GAUGE, "Jobs that the queue can hold.", pool_capacity},
    {"reeve_pool_queued", GAUGE, "Jobs in the queue.", pool_queued},
    {"reeve_pool_active", GAUGE, "Jobs being worked on.", pool_active},
    {"reeve_pool_jobs_accepted", COUNTER, "Jobs accepted.", pool_accepted},
    {"reeve_pool_jobs_finished", COUNTER, "Jobs that succeeded.", pool_finished},
    {"reeve_pool_jobs_failed", COUNTER, "Jobs that failed, retries included.", pool_failed},
    {"reeve_pool_jobs_lost", COUNTER, "Jobs that were accepted and never ended.", pool_lost},
    {"reeve_pool_jobs_rejected", COUNTER, "Jobs refused: queue full, stopping, or too large.",
     pool_rejected},
    {"reeve_pool_job_retries", COUNTER, "Attempts after the first.", pool_retried},
    {"reeve_pool_job_duration_seconds", COUNTER, "Time spent in jobs.", pool_seconds},
};

/* Hosts ------------------------------------------------------------------------------------------
 */

#define HOST_METRIC(function, expression)                    \
    static double host_##function(const struct bill_host *h) \
    {                                                        \
        return (double)(expression);                         \
    }
HOST_METRIC(cpu, to_seconds(h->cpu))
HOST_METRIC(resident, h->usage.resident)
HOST_METRIC(private, h->usage.private_bytes)
HOST_METRIC(fds, h->usage.open_fds)
HOST_METRIC(threads, h->usage.threads)

static const struct host_metric {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*value)(const struct bill_host *host);
} host_metrics[] = {
    {"reeve_host_cpu_seconds", COUNTER,
     "Processor time of the host, user and system, with processes before the present one.",
     host_cpu},
    {"reeve_host_resident_bytes", GAUGE, "Memory of the host that is resident.", host_resident},
    {"reeve_host_private_bytes", GAUGE, "Resident memory of the host that is anonymous.",
     host_private},
    {"reeve_host_open_fds", GAUGE, "Open descriptors of the host.", host_fds},
    {"reeve_host_threads", GAUGE, "Threads of the host.", host_threads},
};

/* Without a process, or the right to look into it, there is no figure: not 0. */
static bool is_known(const struct host_metric *metric, const struct bill_host *host)
{
    if (metric->value == host_cpu)
        return true;
    return host->running && (metric->value != host_fds || host->usage.open_fds >= 0);
}

static void write_hosts(const struct bill *bill, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(host_metrics); i++) {
        const struct host_metric *metric = &host_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        for (size_t h = 0; h < bill->host_count; h++) {
            const struct bill_host *host = &bill->hosts[h];
            const struct label labels[2] = {{"host", host->name},
                                            {"module", host->module[0] ? host->module : NULL}};

            if (is_known(metric, host))
                append_sample(text, metric->name, metric->type, labels, metric->value(host));
        }
    }
}

/* The supervisor itself, under the names that every exporter uses. */
static void write_process(const struct bill *bill, bool open_metrics, struct text *text)
{
    const struct {
        const char *name;
        enum metric_type type;
        const char *help;
        double value;
    } metrics[] = {
        {"process_cpu_seconds", COUNTER, "Processor time of reeved, user and system.",
         to_seconds(bill->own.cpu)},
        {"process_resident_memory_bytes", GAUGE, "Resident memory of reeved.",
         (double)bill->own.resident},
        {"process_open_fds", GAUGE, "Open descriptors of reeved.", (double)bill->own.open_fds},
        {"process_max_fds", GAUGE, "Descriptors that reeved may have open.", (double)bill->fds_max},
        {"process_start_time_seconds", GAUGE, "When reeved started, since the epoch.",
         to_seconds(bill->started)},
    };

    for (size_t i = 0; bill->known && i < ARRAY_SIZE(metrics); i++) {
        append_family(text, metrics[i].name, metrics[i].type, metrics[i].help, open_metrics);
        append_sample(text, metrics[i].name, metrics[i].type, NULL, metrics[i].value);
    }
}

static void write_daemon(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                         struct text *text)
{
    append_family(text, "reeve_ready", GAUGE, "Whether /readyz answers 200.", open_metrics);
    append_sample(text, "reeve_ready", GAUGE, NULL, snapshot->ready);
    append_family(text, "reeve_health", GAUGE, "1 pass, 0.5 warn, 0 fail.", open_metrics);
    append_sample(text, "reeve_health", GAUGE, NULL,
                  snapshot->health == HEALTH_PASS   ? 1
                  : snapshot->health == HEALTH_WARN ? 0.5
                                                    : 0);
    append_family(text, "reeve_uptime_seconds", GAUGE, "Time since the daemon started.",
                  open_metrics);
    append_sample(text, "reeve_uptime_seconds", GAUGE, NULL,
                  to_seconds(snapshot->taken - snapshot->started_at));
    append_family(text, "reeve_http_connections", GAUGE, "Open connections of probes.",
                  open_metrics);
    append_sample(text, "reeve_http_connections", GAUGE, NULL, (double)connections);
}

#define EACH_MODULE(snapshot, m)                                \
    for (const struct snapshot_module *m = (snapshot)->modules; \
         m < (snapshot)->modules + (snapshot)->module_count; m++)

/* part is the task's or pool's name, or NULL. */
#define MODULE_LABELS(m, part_label, part) \
    (const struct label[2])                \
    {                                      \
        {"module", (m)->name},             \
        {                                  \
            part_label, part               \
        }                                  \
    }

static void write_modules(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(module_metrics); i++) {
        const struct module_metric *metric = &module_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        append_sample(text, metric->name, metric->type, MODULE_LABELS(m, NULL, NULL),
                      metric->value(m));
    }
}

static void write_tasks(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(task_metrics); i++) {
        const struct task_metric *metric = &task_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        for (size_t t = 0; t < m->task_count; t++)
            append_sample(text, metric->name, metric->type,
                          MODULE_LABELS(m, "task", m->tasks[t].record.name),
                          metric->value(snapshot, &m->tasks[t].record));
    }
}

static void write_pools(const struct snapshot *snapshot, bool open_metrics, struct text *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(pool_metrics); i++) {
        const struct pool_metric *metric = &pool_metrics[i];

        append_family(text, metric->name, metric->type, metric->help, open_metrics);
        EACH_MODULE(snapshot, m)
        for (size_t p = 0; p < m->pool_count; p++)
            append_sample(text, metric->name, metric->type,
                          MODULE_LABELS(m, "pool", m->pools[p].name), metric->value(&m->pools[p]));
    }
}

void metrics_write(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                   struct text *text)
{
    cleanup_bill struct bill bill = {0};

    if (bill_take(snapshot, &bill) < 0)
        text->failed = true;
    write_daemon(snapshot, connections, open_metrics, text);
    write_modules(snapshot, open_metrics, text);
    write_tasks(snapshot, open_metrics, text);
    write_pools(snapshot, open_metrics, text);
    write_hosts(&bill, open_metrics, text);
    write_process(&bill, open_metrics, text);
    if (open_metrics)
        text_append(text, "# EOF\n");
}
