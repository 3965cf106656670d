/* SPDX-License-Identifier: MIT */
/*
 * memory-max without a control group. The host's limit on private data does not count memory that
 * was mapped without access and then mapped over, as runtimes of other languages do, or shared
 * memory. So what is resident is looked at, too.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "base/size.h"
#include "daemon/loop/loop.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/host_internal.h"

#define INTERVAL NSEC_PER_SEC

static void look(void *arg)
{
    struct host *host = arg;
    char limit[SIZE_TEXT_SIZE], size[SIZE_TEXT_SIZE];
    uint64_t bytes;

    if (!host->child || host->state == HOST_ENDING)
        return;
    if (usage_read_memory(host->identity.pid, &bytes) < 0 || bytes <= host->memory_watched) {
        loop_timer_arm(host->memory_timer, INTERVAL);
        return;
    }
    host->limit_passed = true;
    host_kill(host, "memory-max = %s exceeded: %s resident",
              size_format(host->memory_watched, limit, sizeof(limit)),
              size_format(bytes, size, sizeof(size)));
}

void host_memory_watch(struct host *host)
{
    bool bounded = host->limits.memory_max == 0 || cgroup_limits_memory(host->cgroup);

    host->limit_passed = false;
    if (host->check_only || !host->limited || bounded || SANITIZED)
        return;
    host->memory_watched = host->limits.memory_max;
    if (!host->memory_timer && loop_timer_create(host->loop, look, host, &host->memory_timer) < 0)
        log_warning("[%s] memory-max: no memory to watch what it takes", host_label(host));
    else
        loop_timer_arm(host->memory_timer, INTERVAL);
}

void host_memory_forget(struct host *host)
{
    if (host->memory_timer)
        loop_timer_disarm(host->memory_timer);
}
