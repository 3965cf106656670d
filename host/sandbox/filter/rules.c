/* SPDX-License-Identifier: MIT */
/*
 * The rules of every filter. Everything is allowed but what is listed: modules are ordinary code
 * with any library. A call that a later kernel adds is allowed too; none of those listed can be
 * reached by another way (32-bit calls kill the process, io_uring and clone3 are denied).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "host/sandbox/filter/rules.h"

/* Calls that no module needs: reaching into other processes, the kernel, or the machine's set-up.
 */
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
    /* Files by their numbers, past every directory. */
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
static const uint32_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
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
static void accept_result(int r, int call)
{
    if (r == 0 || r == -EDOM)
        return;
    fprintf(stderr, "no rule for the call %d: %s\n", call, strerror(-r));
    exit(1);
}

void filter_deny(scmp_filter_ctx filter, int error, int call)
{
    accept_result(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 0), call);
}

void filter_deny_if(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp condition)
{
    accept_result(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 1, condition),
                  call);
}

void filter_deny_if_both(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp first,
                         struct scmp_arg_cmp second)
{
    accept_result(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 2, first, second),
                  call);
}

void filter_deny_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        filter_deny(filter, EPERM, calls[i]);
}

void filter_deny_opening(scmp_filter_ctx filter, int error, uint32_t mask, uint32_t value)
{
    filter_deny_if(filter, error, SCMP_SYS(openat), filter_masked(2, mask, value));
    filter_deny_if(filter, error, SCMP_SYS(open), filter_masked(1, mask, value));
}

static void deny_aiming(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS])
{
    const uint32_t targets[] = {ids[FILTER_SUPERVISOR], ids[FILTER_GROUP], (uint32_t)-1};

    for (size_t i = 0; i < ARRAY_SIZE(aimed); i++)
        for (size_t j = 0; j < ARRAY_SIZE(targets); j++)
            filter_deny_if(filter, EPERM, aimed[i], filter_low(0, targets[j]));
    /* A descriptor does not tell whose it is, and a directory of /proc is one too. A program that
     * finds no such call takes kill(). */
    filter_deny(filter, ENOSYS, SCMP_SYS(pidfd_send_signal));
}

/* The kinds are 0 and up in one call, 1 and up in the other: process, group, user. */
static void deny_ranking(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS])
{
    for (uint32_t i = 0; i < ARRAY_SIZE(ranked); i++) {
        filter_deny_if(filter, EPERM, ranked[i], filter_low(1, ids[FILTER_SUPERVISOR]));
        filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_PGRP + i));
        filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_USER + i));
    }
}

/* A descriptor may send signals to whoever is named as its owner: only the host itself may be.
 * Where the owner stands in memory, nobody may be named. */
static void deny_owners(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS])
{
    static const int fcntls[] = {SCMP_SYS(fcntl), SCMP_SYS(fcntl64)};
    static const uint32_t commands[] = {F_SETOWN_EX, F_SETSIG};
    static const uint32_t ioctls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI};

    for (size_t i = 0; i < ARRAY_SIZE(fcntls); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(commands); j++)
            filter_deny_if(filter, EPERM, fcntls[i], filter_low(1, commands[j]));
        filter_deny_if_both(filter, EPERM, fcntls[i], filter_low(1, F_SETOWN),
                            filter_differs(2, ids[FILTER_SELF]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
        filter_deny_if(filter, EPERM, SCMP_SYS(ioctl), filter_low(1, ioctls[i]));
}

/* New processes and threads, but no new namespaces. */
static void deny_namespaces(scmp_filter_ctx filter)
{
    /* Its flags are in memory. The C library takes clone() instead when there is none. */
    filter_deny(filter, ENOSYS, SCMP_SYS(clone3));
    for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
        filter_deny_if(filter, EPERM, SCMP_SYS(clone),
                       filter_masked(CLONE_FLAGS, namespaces[i], namespaces[i]));
}

static void deny_network(scmp_filter_ctx filter)
{
    filter_deny_if(filter, EACCES, SCMP_SYS(socket), filter_differs(0, AF_UNIX));
}

/* The calls that Landlock before ABI 3 lets through: cutting a file that may only be read, by its
 * name. */
static void deny_truncating(scmp_filter_ctx filter)
{
    filter_deny(filter, EACCES, SCMP_SYS(truncate));
    filter_deny(filter, EACCES, SCMP_SYS(truncate64));
    filter_deny_opening(filter, EACCES, O_ACCMODE | O_TRUNC, O_RDONLY | O_TRUNC);
    filter_deny(filter, ENOSYS, SCMP_SYS(openat2));
}

void filter_add_rules(scmp_filter_ctx filter, unsigned kind, const uint32_t ids[FILTER_IDS])
{
    filter_deny_all(filter, denied, ARRAY_SIZE(denied));
    deny_aiming(filter, ids);
    deny_ranking(filter, ids);
    deny_owners(filter, ids);
    deny_namespaces(filter);
    if (kind & FILTER_CHECK)
        filter_deny_activity(filter, ids);
    if (kind & FILTER_NO_NETWORK)
        deny_network(filter);
    if (kind & FILTER_NO_TRUNCATING)
        deny_truncating(filter);
}
