/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls. Everything is allowed but what is listed: modules are ordinary code
 * with any library. A call that a later kernel adds is allowed too; none of those listed can be
 * reached by another way (32-bit calls kill the process, io_uring and clone3 are denied).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/host/sandbox_filter.h"
#include "daemon/host/sandbox_internal.h"

/* What no module needs: reaching into other processes, the kernel, or the machine's set-up. */
static const int denied[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(process_mrelease),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(move_pages),
    SCMP_SYS(migrate_pages),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(bpf),
    /* It would go round every rule about sockets and files. */
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    /* Mounts and namespaces. */
    SCMP_SYS(mount),
    SCMP_SYS(umount),
    SCMP_SYS(umount2),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    CALL_OPEN_TREE_ATTR,
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    /* Files by their numbers, past every folder. */
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    /* The kernel itself. */
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(reboot),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(vhangup),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd),
    SCMP_SYS(nfsservctl),
    /* The clock. Whether adjtimex() only asks stands in memory, where a filter cannot look. */
    SCMP_SYS(settimeofday),
    SCMP_SYS(stime),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_settime64),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(clock_adjtime64),
    SCMP_SYS(adjtimex),
    /* Keys are the user's, not the host's. */
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
};

/* CLONE_NEWTIME is in the bits of the signal, and has no meaning in clone(). */
static const uint64_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

/* Whose first argument is a process: each does to the supervisor what no module may. */
static const int aimed[] = {
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(prlimit64),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_setparam),
    SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_setattr),
};

/* Whose first argument says what the second is: a process, a group, or a user. */
static const int ranked[] = {SCMP_SYS(setpriority), SCMP_SYS(ioprio_set)};

/* A rule that this architecture has no call for needs none. */
static int rule_result(int r)
{
    return r == -EDOM ? 0 : r;
}

int filter_deny(scmp_filter_ctx filter, int error, int call)
{
    return rule_result(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 0));
}

int filter_deny_if(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp condition)
{
    return rule_result(
        seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 1, condition));
}

int filter_deny_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++)
        r = filter_deny(filter, EPERM, calls[i]);
    return r;
}

static int deny_aiming(scmp_filter_ctx filter, pid_t supervisor, pid_t group)
{
    const uint32_t targets[] = {(uint32_t)supervisor, (uint32_t)-group, (uint32_t)-1};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(aimed); i++)
        for (size_t j = 0; j < ARRAY_SIZE(targets) && r == 0; j++)
            r = filter_deny_if(filter, EPERM, aimed[i], filter_low(0, targets[j]));
    /* A descriptor does not tell whose it is, and a folder of /proc is one too. Who finds no such
     * call takes kill(). */
    return r < 0 ? r : filter_deny(filter, ENOSYS, SCMP_SYS(pidfd_send_signal));
}

/* The kinds are 0 and up in one call, 1 and up in the other: process, group, user. */
static int deny_ranking(scmp_filter_ctx filter, pid_t supervisor)
{
    int r = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(ranked) && r == 0; i++) {
        r = filter_deny_if(filter, EPERM, ranked[i], filter_low(1, (uint32_t)supervisor));
        if (r == 0)
            r = filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_PGRP + i));
        if (r == 0)
            r = filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_USER + i));
    }
    return r;
}

/* A descriptor may send signals to whoever is named as its owner: only the host itself may be.
 * Where the owner stands in memory, nobody may be named. */
static int deny_owners(scmp_filter_ctx filter)
{
    static const int fcntls[] = {SCMP_SYS(fcntl), SCMP_SYS(fcntl64)};
    static const uint32_t commands[] = {F_SETOWN_EX, F_SETSIG};
    static const uint32_t ioctls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(fcntls) && r == 0; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(commands) && r == 0; j++)
            r = filter_deny_if(filter, EPERM, fcntls[i], filter_low(1, commands[j]));
        if (r == 0)
            r = rule_result(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), fcntls[i], 2,
                                             filter_low(1, F_SETOWN),
                                             SCMP_A2(SCMP_CMP_NE, (uint32_t)getpid())));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ioctls) && r == 0; i++)
        r = filter_deny_if(filter, EPERM, SCMP_SYS(ioctl), filter_low(1, ioctls[i]));
    return r;
}

/* New processes and threads, but no new namespaces. */
static int deny_namespaces(scmp_filter_ctx filter)
{
    /* Its flags are in memory. The C library takes clone() instead when there is none. */
    int r = filter_deny(filter, ENOSYS, SCMP_SYS(clone3));

    for (size_t i = 0; i < ARRAY_SIZE(namespaces) && r == 0; i++)
        r = filter_deny_if(filter, EPERM, SCMP_SYS(clone),
                           SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    return r;
}

static int deny_network(scmp_filter_ctx filter)
{
    return filter_deny_if(filter, EACCES, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_NE, AF_UNIX));
}

int filter_deny_opening(scmp_filter_ctx filter, int error, uint64_t mask, uint64_t value)
{
    int r =
        filter_deny_if(filter, error, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, mask, value));

    return r < 0 ? r
                 : filter_deny_if(filter, error, SCMP_SYS(open),
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, mask, value));
}

/* What Landlock before ABI 3 lets through: cutting a file that may only be read, by its name. */
static int deny_truncating(scmp_filter_ctx filter)
{
    int r = filter_deny(filter, EACCES, SCMP_SYS(truncate));

    if (r == 0)
        r = filter_deny(filter, EACCES, SCMP_SYS(truncate64));
    if (r == 0)
        r = filter_deny_opening(filter, EACCES, O_ACCMODE | O_TRUNC, O_RDONLY | O_TRUNC);
    return r < 0 ? r : filter_deny(filter, ENOSYS, SCMP_SYS(openat2));
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox *sandbox, pid_t supervisor,
                     int landlock_abi)
{
    int r = filter_deny_all(filter, denied, ARRAY_SIZE(denied));

    if (r == 0)
        r = deny_aiming(filter, supervisor, getpgid(supervisor));
    if (r == 0)
        r = deny_ranking(filter, supervisor);
    if (r == 0)
        r = deny_owners(filter);
    if (r == 0)
        r = deny_namespaces(filter);
    if (r == 0 && sandbox->check_only)
        return filter_deny_activity(filter);
    if (r == 0 && sandbox->no_network)
        r = deny_network(filter);
    if (r == 0 && landlock_abi > 0 && landlock_abi < 3)
        r = deny_truncating(filter);
    return r;
}

int sandbox_filter_calls(struct sandbox *sandbox, pid_t supervisor, int landlock_abi)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = filter ? add_rules(filter, sandbox, supervisor, landlock_abi) : -ENOMEM;

    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? sandbox_cannot(sandbox, "no system call filter%s: %s",
                                  sandbox->no_network ? ", so network = no" : "", strerror(-r))
                 : 0;
}
