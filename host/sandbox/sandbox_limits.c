/* SPDX-License-Identifier: MIT */
/* The host's share of the machine: its control group, nice level, descriptors and memory. */
#include <errno.h>
#include <fcntl.h>
#include <reeve/error.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sanitized.h"
#include "base/size.h"
#include "base/text.h"
#include "host/sandbox/sandbox_internal.h"

/*
 * The host moves itself: the move waits for other processes of the machine now and then, which the
 * supervisor's loop must not. Still as the supervisor's user, who owns the group.
 */
static int enter_cgroup(struct sandbox *sandbox)
{
    cleanup_free char *path = NULL;
    cleanup_close int fd = -1;
    int r;

    if (!sandbox->cgroup)
        return 0;
    path = format_new("%s/cgroup.procs", sandbox->cgroup);
    if (!path)
        return sandbox_refuse(sandbox, "out of memory");
    fd = open(path, O_WRONLY | O_CLOEXEC);
    r = fd < 0 ? -errno : write_all(fd, "0", 1);
    return r < 0 ? sandbox_cannot(sandbox, "the host cannot enter its control group %s: %s",
                                  sandbox->cgroup, strerror(-r))
                 : 0;
}

static int limit_cpu(struct sandbox *sandbox)
{
    return sandbox->cpu_max ? sandbox_cannot(sandbox,
                                             "cpu-max = %s: no control group with the cpu "
                                             "controller is delegated to reeved",
                                             sandbox->cpu_max)
                            : 0;
}

static int set_nice(struct sandbox *sandbox)
{
    int level = getpriority(PRIO_PROCESS, 0);

    if (!sandbox->nice_given) {
        /* Only the supervisor is to be quicker than the rest of the machine. */
        if (level < 0)
            setpriority(PRIO_PROCESS, 0, 0);
        return 0;
    }
    if (setpriority(PRIO_PROCESS, 0, sandbox->nice) == 0)
        return 0;
    return sandbox_cannot(sandbox, "nice = %d: the level stays %d: %s", sandbox->nice, level,
                          strerror(errno));
}

static int limit_nofile(struct sandbox *sandbox)
{
    struct rlimit limit = {sandbox->nofile, sandbox->nofile}, present;
    int r;

    if (sandbox->nofile == 0 || setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    r = -errno;
    if (r == -EPERM && getrlimit(RLIMIT_NOFILE, &present) == 0) {
        /* More than whoever started reeved allows: as much as there is. */
        limit.rlim_cur = limit.rlim_max = present.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        return sandbox_cannot(sandbox, "nofile = %llu: only %llu are allowed to reeved",
                              (unsigned long long)sandbox->nofile,
                              (unsigned long long)present.rlim_max);
    }
    return sandbox_cannot(sandbox, "nofile = %llu: %s", (unsigned long long)sandbox->nofile,
                          strerror(-r));
}

/* Heap, stacks and private mappings that can be written: what a leak makes grow. */
static int limit_memory(struct sandbox *sandbox)
{
    struct rlimit limit = {sandbox->memory_data, sandbox->memory_data};
    char size[SIZE_TEXT_SIZE];

    if (sandbox->memory_data == 0)
        return 0;
    size_format(sandbox->memory_data, size, sizeof(size));
    if (SANITIZED)
        return sandbox_cannot(sandbox, "memory-max = %s: a sanitizer is built in", size);
    if (setrlimit(RLIMIT_DATA, &limit) < 0)
        return sandbox_cannot(sandbox, "memory-max = %s: %s", size, strerror(errno));
    return 0;
}

int sandbox_limit(struct sandbox *sandbox)
{
    int r = enter_cgroup(sandbox);

    if (r == 0)
        r = limit_cpu(sandbox);
    if (r == 0)
        r = set_nice(sandbox);
    if (r == 0)
        r = limit_nofile(sandbox);
    return r < 0 ? r : limit_memory(sandbox);
}

int sandbox_explain_want(int r)
{
    char size[SIZE_TEXT_SIZE], text[RV_ERROR_TEXT_SIZE];
    struct rlimit limit;

    if ((r != -EAGAIN && r != -ENOMEM) || getrlimit(RLIMIT_DATA, &limit) < 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return r;
    string_copy(text, sizeof(text), rv_error_text(r));
    return rv_fail_text(r, "%s; memory-max = %s may leave no room for it", text,
                        size_format(limit.rlim_cur, size, sizeof(size)));
}
