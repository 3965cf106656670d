/* SPDX-License-Identifier: MIT */
#include "host/sandbox/sandbox.h"

#include <errno.h>
#include <reeve/log.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "host/report/log_sink.h"
#include "host/sandbox/sandbox_internal.h"

static int take_text(const char *value, char **target)
{
    free(*target);
    *target = strdup(value);
    return *target ? 0 : -ENOMEM;
}

static int take_number(const char *value, uint64_t *target)
{
    long long number;

    if (integer_parse(value, 1, INT64_MAX, &number) < 0)
        return -EINVAL;
    *target = (uint64_t)number;
    return 0;
}

static int take_nice(struct sandbox *sandbox, const char *value)
{
    long long number;

    if (integer_parse(value, -20, 19, &number) < 0)
        return -EINVAL;
    sandbox->nice = (int)number;
    sandbox->nice_given = true;
    return 0;
}

int sandbox_take(struct sandbox *sandbox, const char *key, const char *value)
{
    if (strcmp(key, "cgroup") == 0)
        return take_text(value, &sandbox->cgroup);
    if (strcmp(key, "memory-data") == 0)
        return take_number(value, &sandbox->memory_data);
    if (strcmp(key, "cpu-max") == 0)
        return take_text(value, &sandbox->cpu_max);
    if (strcmp(key, "nofile") == 0)
        return take_number(value, &sandbox->nofile);
    if (strcmp(key, "nice") == 0)
        return take_nice(sandbox, value);
    if (strcmp(key, "user") == 0)
        return take_text(value, &sandbox->user);
    if (strcmp(key, "read-only") == 0)
        return strings_add(&sandbox->read_only, value);
    if (strcmp(key, "read-write") == 0)
        return strings_add(&sandbox->read_write, value);
    if (strcmp(key, "module-folder") == 0)
        return strings_add(&sandbox->module_folders, value);
    if (strcmp(key, "network") == 0) {
        sandbox->no_network = strcmp(value, "no") == 0;
        return 0;
    }
    if (strcmp(key, "sandbox") == 0) {
        sandbox->strict = strcmp(value, "strict") == 0;
        return 0;
    }
    return -EINVAL;
}

void sandbox_finish(struct sandbox *sandbox)
{
    free(sandbox->cgroup);
    free(sandbox->cpu_max);
    free(sandbox->user);
    strings_free(&sandbox->read_only);
    strings_free(&sandbox->read_write);
    strings_free(&sandbox->module_folders);
}

int sandbox_cannot(struct sandbox *sandbox, const char *format, ...)
{
    char text[sizeof(sandbox->reason)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!sandbox->strict) {
        host_log(NULL, RV_LOG_WARNING, "sandbox: not enforced: %s", text);
        return 0;
    }
    return sandbox_refuse(sandbox, "sandbox = strict: %.200s", text);
}

int sandbox_refuse(struct sandbox *sandbox, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(sandbox->reason, sizeof(sandbox->reason), format, args);
    va_end(args);
    return -EPERM;
}

/* A stopped host must run to see that its supervisor is gone. */
static int watch_supervisor(pid_t supervisor)
{
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    return getppid() == supervisor ? 0 : -ESRCH;
}

int sandbox_enter(struct sandbox *sandbox)
{
    pid_t supervisor = getppid();
    int r, abi = 0;

    r = watch_supervisor(supervisor);
    if (r == 0 && !sandbox->check_only)
        r = sandbox_limit(sandbox);
    else if (r == 0 && getpriority(PRIO_PROCESS, 0) < 0)
        setpriority(PRIO_PROCESS, 0, 0);
    if (r == 0)
        r = sandbox_change_user(sandbox);
    /* A change of the user has cleared it. */
    if (r == 0)
        r = watch_supervisor(supervisor);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = sandbox_cannot(sandbox, "new privileges cannot be given up: %s", strerror(errno));
    if (r == 0 && (!sandbox->check_only || sandbox->reader))
        r = sandbox_restrict_files(sandbox, &abi);
    return r < 0 ? r : sandbox_filter_calls(sandbox, supervisor, abi);
}
