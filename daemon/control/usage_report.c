/* SPDX-License-Identifier: MIT */
#include "daemon/control/usage_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/control/snapshot.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"

static void take_host(const struct tenancy *tenancy, struct usage_of_host *host)
{
    const struct unit *unit;
    size_t tenants = 0;

    string_copy(host->name, sizeof(host->name), host_name(tenancy->host));
    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (!unit->removed && tenants++ == 0)
            string_copy(host->module, sizeof(host->module), unit->name);
    if (tenants != 1)
        host->module[0] = '\0';
    host->running = host_usage(tenancy->host, &host->usage, &host->cpu);
}

static void take_own(struct usage_report *bill)
{
    /* Worked out once: a start does not move, however exactly it is measured. */
    static int64_t started;
    struct rlimit limit;

    bill->known = usage_read(getpid(), &bill->own) == 0;
    if (bill->known && started == 0)
        started = clock_realtime() - (clock_read(CLOCK_BOOTTIME) - bill->own.started);
    bill->started = started;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        bill->fds_max = limit.rlim_cur;
}

int usage_report_take(const struct snapshot *snapshot, struct usage_report *ret_bill)
{
    const struct supervisor *supervisor = snapshot->supervisor;
    const struct tenancy *tenancy;
    size_t count = 0;

    *ret_bill = (struct usage_report){0};
    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
        count++;
    ret_bill->hosts = calloc(count + 1, sizeof(*ret_bill->hosts));
    if (!ret_bill->hosts)
        return -ENOMEM;
    LIST_FOREACH (tenancy, &supervisor->units.tenancies, list)
        take_host(tenancy, &ret_bill->hosts[ret_bill->host_count++]);
    take_own(ret_bill);
    return 0;
}

void usage_report_free(struct usage_report *bill)
{
    free(bill->hosts);
    *bill = (struct usage_report){0};
}

const struct usage_of_host *usage_report_find(const struct usage_report *bill, const char *host)
{
    for (size_t i = 0; i < bill->host_count; i++)
        if (strcmp(bill->hosts[i].name, host) == 0)
            return &bill->hosts[i];
    return NULL;
}
