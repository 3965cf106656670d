/* SPDX-License-Identifier: MIT */
/* The usage of a host: of the present process from /proc, of those before it from their ends. */
#include "base/clock.h"
#include "daemon/process/host_internal.h"

/* How old a figure may be. */
#define FRESH NSEC_PER_SEC

bool host_usage(struct host *host, struct usage *ret_usage, int64_t *ret_cpu)
{
    int64_t now = clock_monotonic();
    struct usage usage;

    if (host->child && (host->usage_at == 0 || now - host->usage_at >= FRESH)) {
        host->usage_at = now;
        /* One that is ending has no memory to tell of; its last figures stay. */
        if (usage_read(host->identity.pid, &usage) == 0)
            host->usage = usage;
    }
    *ret_usage = host->usage;
    *ret_cpu = host->cpu_before + host->usage.cpu;
    return host->child && host->usage.threads > 0;
}

void host_usage_close(struct host *host, int64_t cpu)
{
    /* The last figure shown may be a tick more than the one at the end. */
    host->cpu_before += MAX(cpu, host->usage.cpu);
    host->usage = (struct usage){0};
    host->usage_at = 0;
}
