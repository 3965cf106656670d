/* SPDX-License-Identifier: MIT */
/* The share of the machine that the hosts and the supervisor take, as metrics. */
#include "daemon/edge/metrics/metrics_usage.h"

#include "base/duration.h"
#include "daemon/control/usage_report.h"
#include "daemon/edge/metrics/exposition.h"

static double to_seconds(int64_t ns)
{
    return (double)ns / NSEC_PER_SEC;
}

#define HOST_METRIC(function, expression)                        \
    static double host_##function(const struct usage_of_host *h) \
    {                                                            \
        return (double)(expression);                             \
    }
HOST_METRIC(cpu, to_seconds(h->cpu))
HOST_METRIC(resident, h->usage.resident)
HOST_METRIC(private, h->usage.private_bytes)
HOST_METRIC(fds, h->usage.open_fds)
HOST_METRIC(threads, h->usage.threads)

static const struct host_metric {
    struct metric metric;
    double (*value)(const struct usage_of_host *host);
} host_metrics[] = {
    {{"reeve_host_cpu_seconds", COUNTER,
      "Processor time of the host, user and system, with processes before the present one."},
     host_cpu},
    {{"reeve_host_resident_bytes", GAUGE, "Memory of the host that is resident."}, host_resident},
    {{"reeve_host_private_bytes", GAUGE, "Resident memory of the host that is anonymous."},
     host_private},
    {{"reeve_host_open_fds", GAUGE, "Open descriptors of the host."}, host_fds},
    {{"reeve_host_threads", GAUGE, "Threads of the host."}, host_threads},
};

/* Without a process, or the right to look into it, there is no figure: not 0. */
static bool is_known(const struct host_metric *metric, const struct usage_of_host *host)
{
    if (metric->value == host_cpu)
        return true;
    return host->running && (metric->value != host_fds || host->usage.open_fds >= 0);
}

static void write_hosts(const struct exposition *exposition, const struct usage_report *bill)
{
    for (size_t i = 0; i < ARRAY_SIZE(host_metrics); i++) {
        const struct host_metric *metric = &host_metrics[i];

        exposition_family(exposition, &metric->metric);
        for (size_t h = 0; h < bill->host_count; h++) {
            const struct usage_of_host *host = &bill->hosts[h];
            const struct label labels[METRIC_LABELS] = {
                {"host", host->name}, {"module", host->module[0] ? host->module : NULL}};

            if (is_known(metric, host))
                exposition_sample(exposition, &metric->metric, labels, metric->value(host));
        }
    }
}

/* The supervisor itself, under the names that every exporter uses. */
static void write_process(const struct exposition *exposition, const struct usage_report *bill)
{
    const struct {
        struct metric metric;
        double value;
    } metrics[] = {
        {{"process_cpu_seconds", COUNTER, "Processor time of reeved, user and system."},
         to_seconds(bill->own.cpu)},
        {{"process_resident_memory_bytes", GAUGE, "Resident memory of reeved."},
         (double)bill->own.resident},
        {{"process_open_fds", GAUGE, "Open descriptors of reeved."}, (double)bill->own.open_fds},
        {{"process_max_fds", GAUGE, "Descriptors that reeved may have open."},
         (double)bill->fds_max},
        {{"process_threads", GAUGE, "Threads of reeved."}, bill->own.threads},
        {{"process_start_time_seconds", GAUGE, "When reeved started, since the epoch."},
         to_seconds(bill->started)},
    };

    for (size_t i = 0; bill->known && i < ARRAY_SIZE(metrics); i++) {
        exposition_family(exposition, &metrics[i].metric);
        exposition_sample(exposition, &metrics[i].metric, NULL, metrics[i].value);
    }
}

void metrics_write_usage(const struct exposition *exposition, const struct snapshot *snapshot)
{
    cleanup_usage_report struct usage_report bill = {0};

    if (usage_report_take(snapshot, &bill) < 0)
        exposition->text->failed = true;
    write_hosts(exposition, &bill);
    write_process(exposition, &bill);
}
