/* SPDX-License-Identifier: MIT */
/* The rules of what a host gives up: the LIMITs that follow HELLO. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "base/text.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/host_internal.h"
#include "settings/compare.h"

typedef void emit_fn(struct host *host, const char *key, const char *value, uint64_t *count);

static void count_limit(struct host *host _unused_, const char *key _unused_,
                        const char *value _unused_, uint64_t *count)
{
    (*count)++;
}

static void send_limit(struct host *host, const char *key, const char *value,
                       uint64_t *count _unused_)
{
    struct wire_message message = {.type = WIRE_LIMIT, .key = key, .value = value};

    host_send(host, &message);
}

static void each_number(struct host *host, emit_fn *emit, uint64_t *count, const char *key,
                        int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, number);
    emit(host, key, text, count);
}

static void each_path(struct host *host, emit_fn *emit, uint64_t *count, const char *key,
                      const struct strings *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        emit(host, key, paths->items[i], count);
}

/* The limits that no control group takes care of: memory by a limit of the host's own, processor
 * time not. */
static void each_share(struct host *host, emit_fn *emit, uint64_t *count)
{
    const struct config_limits *limits = &host->limits;
    char text[32];

    if (host->cgroup)
        emit(host, "cgroup", cgroup_path(host->cgroup), count);
    if (limits->memory_max > 0 && !cgroup_limits_memory(host->cgroup))
        each_number(host, emit, count, "memory-data", (int64_t)limits->memory_max);
    if (limits->cpu_max > 0 && !cgroup_limits_cpu(host->cgroup)) {
        snprintf(text, sizeof(text), "%u%%", limits->cpu_max);
        emit(host, "cpu-max", text, count);
    }
}

static void each_limit(struct host *host, emit_fn *emit, uint64_t *count)
{
    const struct config_limits *limits = &host->limits;

    if (!host->limited)
        return;
    if (limits->user)
        emit(host, "user", limits->user, count);
    each_path(host, emit, count, "module-folder", &host->folders);
    if (host->check_only)
        return;
    each_share(host, emit, count);
    if (limits->nofile > 0)
        each_number(host, emit, count, "nofile", limits->nofile);
    if (limits->nice.given)
        each_number(host, emit, count, "nice", limits->nice.value);
    each_path(host, emit, count, "read-only", &limits->read_only);
    each_path(host, emit, count, "read-write", &limits->read_write);
    if (!limits->network)
        emit(host, "network", "no", count);
    if (limits->sandbox == CONFIG_SANDBOX_STRICT)
        emit(host, "sandbox", "strict", count);
}

uint64_t host_limits_count(struct host *host)
{
    uint64_t count = 0;

    each_limit(host, count_limit, &count);
    return count;
}

void host_limits_send(struct host *host)
{
    each_limit(host, send_limit, NULL);
}

void host_limits_prepare(struct host *host)
{
    char size[SIZE_TEXT_SIZE];

    if (host->check_only || !host->limited)
        return;
    host->cgroup = cgroup_create(host->name, &host->limits);
    if (host->limits.memory_max == 0 || cgroup_limits_memory(host->cgroup) || host->told_memory)
        return;
    host->told_memory = true;
    log_notice(
        "[%s] memory-max = %s bounds its private data (RLIMIT_DATA) and, looked at once a second, "
        "what it has resident; not what it takes and gives back in between, nor its processes "
        "together: no control group with the memory controller is delegated to reeved",
        host_label(host), size_format(host->limits.memory_max, size, sizeof(size)));
}

bool host_limits_explain(const struct host *host, char *ret_text, size_t size)
{
    char limit[SIZE_TEXT_SIZE];

    if (!cgroup_limits_memory(host->cgroup) || cgroup_oom_kills(host->cgroup) == 0)
        return false;
    snprintf(ret_text, size, "killed by the kernel: it exceeded memory-max = %s",
             size_format(host->limits.memory_max, limit, sizeof(limit)));
    return true;
}

void host_set_limits(struct host *host, const struct config_limits *limits,
                     const struct strings *module_folders)
{
    config_limits_free(&host->limits);
    strings_free(&host->folders);
    host->limited = true;
    /* To start without them would be to lose them in silence. */
    host->limits_error = config_limits_copy(limits, &host->limits);
    if (host->limits_error == 0)
        host->limits_error = strings_append(&host->folders, module_folders);
}

/* A host that may read everything can load from everywhere. */
static bool can_load(const struct host *host, const char *path)
{
    size_t length = strlen(path);
    bool found = host->limits.read_only.count == 0;

    while (length > 0 && path[length - 1] != '/')
        length--;
    for (size_t i = 0; i < host->folders.count && !found; i++)
        found = strncmp(host->folders.items[i], path, length) == 0 &&
                host->folders.items[i][length] == '\0';
    return found;
}

bool host_has_limits(const struct host *host, const struct config_limits *limits,
                     const char *module_path)
{
    return host->limited && !config_limits_differ(&host->limits, limits) &&
           can_load(host, module_path);
}
