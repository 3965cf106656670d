/* SPDX-License-Identifier: MIT */
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOPRIO_IDLE (3 << 13)

/* As <linux/sched/types.h> has it, which does not get on with <sched.h>. */
struct sched_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static int open_of(pid_t pid, const char *name, int flags)
{
    char path[100];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return open(path, flags | O_CLOEXEC);
}

static long by_pidfd(pid_t pid)
{
    return syscall(SYS_pidfd_open, pid, 0);
}

/* A folder of /proc is as good as a pidfd. */
static long by_pidfd_signal(pid_t pid)
{
    return syscall(SYS_pidfd_send_signal, open_of(pid, "", O_RDONLY | O_DIRECTORY), SIGKILL, NULL,
                   0);
}

static long by_group(pid_t pid)
{
    return kill(-getpgid(pid), SIGKILL);
}

static long by_kill(pid_t pid)
{
    return kill(pid, SIGKILL);
}

static long by_term(pid_t pid)
{
    return kill(pid, SIGTERM);
}

static long by_tkill(pid_t pid)
{
    return syscall(SYS_tkill, pid, SIGKILL);
}

static long by_tgkill(pid_t pid)
{
    return syscall(SYS_tgkill, pid, pid, SIGKILL);
}

/* The kernel looks at one half of the register. */
static long by_wide_kill(pid_t pid)
{
    return syscall(SYS_kill, (int64_t)pid | (int64_t)1 << 40, SIGKILL);
}

/* A sign that is extended is in the upper half too. */
static long by_everybody(pid_t pid)
{
    (void)pid;
    return syscall(SYS_kill, (int64_t)-1, 0);
}

static long by_queue(pid_t pid)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info);
}

static long by_thread_queue(pid_t pid)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGKILL, &info);
}

static int make_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static long by_owner(pid_t pid)
{
    int ends[2];

    return make_pair(ends) < 0 ? 0 : fcntl(ends[0], F_SETOWN, pid);
}

static long by_wide_owner(pid_t pid)
{
    int ends[2];

    return make_pair(ends) < 0
               ? 0
               : syscall(SYS_fcntl, ends[0], (int64_t)F_SETOWN | (int64_t)1 << 40, pid);
}

static long by_group_owner(pid_t pid)
{
    return by_owner(-getpgid(pid));
}

static long by_owner_ex(pid_t pid)
{
    struct f_owner_ex owner = {F_OWNER_PID, pid};
    int ends[2];

    return make_pair(ends) < 0 ? 0 : fcntl(ends[0], F_SETOWN_EX, &owner);
}

static long by_setsig(pid_t pid)
{
    int ends[2];

    (void)pid;
    return make_pair(ends) < 0 ? 0 : fcntl(ends[0], F_SETSIG, SIGKILL);
}

static long by_fiosetown(pid_t pid)
{
    int ends[2];

    return make_pair(ends) < 0 ? 0 : ioctl(ends[0], FIOSETOWN, &pid);
}

static long by_siocspgrp(pid_t pid)
{
    int ends[2];

    return make_pair(ends) < 0 ? 0 : ioctl(ends[0], SIOCSPGRP, &pid);
}

/* Its limits as they are; a real attacker would take the descriptors. */
static long by_prlimit(pid_t pid)
{
    struct rlimit limit = {0, 0};

    return prlimit(pid, RLIMIT_CORE, &limit, NULL);
}

static long by_asking_prlimit(pid_t pid)
{
    struct rlimit limit;

    return prlimit(pid, RLIMIT_NOFILE, NULL, &limit);
}

static long by_priority(pid_t pid)
{
    return setpriority(PRIO_PROCESS, (id_t)pid, 19);
}

static long by_group_priority(pid_t pid)
{
    return setpriority(PRIO_PGRP, (id_t)getpgid(pid), 19);
}

static long by_user_priority(pid_t pid)
{
    (void)pid;
    return setpriority(PRIO_USER, getuid(), 19);
}

static long by_io_priority(pid_t pid)
{
    return syscall(SYS_ioprio_set, 1, pid, IOPRIO_IDLE);
}

static long by_group_io_priority(pid_t pid)
{
    return syscall(SYS_ioprio_set, 2, getpgid(pid), IOPRIO_IDLE);
}

static long by_user_io_priority(pid_t pid)
{
    (void)pid;
    return syscall(SYS_ioprio_set, 3, getuid(), IOPRIO_IDLE);
}

static long by_affinity(pid_t pid)
{
    cpu_set_t set;

    sched_getaffinity(pid, sizeof(set), &set);
    return sched_setaffinity(pid, sizeof(set), &set);
}

static long by_scheduler(pid_t pid)
{
    struct sched_param parameter = {0};

    return sched_setscheduler(pid, SCHED_IDLE, &parameter);
}

static long by_parameter(pid_t pid)
{
    struct sched_param parameter = {0};

    return sched_setparam(pid, &parameter);
}

static long by_attributes(pid_t pid)
{
    struct sched_attributes attributes = {.size = sizeof(attributes), .policy = SCHED_IDLE};

    return syscall(SYS_sched_setattr, pid, &attributes, 0);
}

static long by_trace(pid_t pid)
{
    return ptrace(PTRACE_SEIZE, pid, NULL, NULL);
}

static long by_memory(pid_t pid)
{
    return open_of(pid, "mem", O_RDWR);
}

/* Root may read it by CAP_SYS_ADMIN (CAP_PERFMON) in later kernels. */
static long by_environment(pid_t pid)
{
    errno = EPERM;
    return getuid() == 0 ? -1 : open_of(pid, "environ", O_RDONLY);
}

static long by_descriptor(pid_t pid)
{
    return open_of(pid, "fd/3", O_RDONLY);
}

static long by_writev(pid_t pid)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&byte, 1};

    return process_vm_writev(pid, &here, 1, &there, 1, 0);
}

static long by_release(pid_t pid)
{
    (void)pid;
    return syscall(SYS_process_mrelease, -1, 0);
}

static long by_compare(pid_t pid)
{
    return syscall(SYS_kcmp, getpid(), pid, 0, 0, 0);
}

static long by_moving_pages(pid_t pid)
{
    return syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0);
}

static long by_migrating(pid_t pid)
{
    unsigned long nodes = 1;

    return syscall(SYS_migrate_pages, pid, 64, &nodes, &nodes);
}

#define WAY(name) {#name, by_##name}

const char *reach_process(pid_t pid)
{
    static const struct {
        const char *name;
        long (*fn)(pid_t pid);
    } ways[] = {
        WAY(pidfd),          WAY(prlimit),
        WAY(asking_prlimit), WAY(priority),
        WAY(group_priority), WAY(user_priority),
        WAY(io_priority),    WAY(group_io_priority),
        WAY(affinity),       WAY(user_io_priority),
        WAY(scheduler),      WAY(parameter),
        WAY(attributes),     WAY(trace),
        WAY(memory),         WAY(environment),
        WAY(descriptor),     WAY(writev),
        WAY(release),        WAY(compare),
        WAY(moving_pages),   WAY(migrating),
        WAY(owner),          WAY(group_owner),
        WAY(owner_ex),       WAY(setsig),
        WAY(fiosetown),      WAY(siocspgrp),
        WAY(pidfd_signal),   WAY(group),
        WAY(kill),           WAY(term),
        WAY(tkill),          WAY(tgkill),
        WAY(wide_kill),      WAY(queue),
        WAY(thread_queue),   WAY(everybody),
        WAY(wide_owner),
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        errno = 0;
        /* Anything else would be a mistake of ours. */
        if (ways[i].fn(pid) >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS))
            return ways[i].name;
    }
    return NULL;
}
