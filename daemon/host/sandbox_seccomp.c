/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls. Everything is allowed but what is listed: modules are ordinary code
 * with any library. A call that a later kernel adds is allowed too; none of those listed can be
 * reached by another way (32-bit calls kill the process, io_uring and clone3 are denied).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/host/sandbox_filter.h"
#include "daemon/host/sandbox_internal.h"

/* What no module needs: reaching into other processes, the kernel, or the machine's set-up. */
static const int denied[] = {
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(process_madvise),
    CALL(process_mrelease),
    CALL(pidfd_getfd),
    CALL(kcmp),
    CALL(move_pages),
    CALL(migrate_pages),
    CALL(userfaultfd),
    CALL(perf_event_open),
    CALL(bpf),
    /* It would go round every rule about sockets and files. */
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    /* Mounts and namespaces. */
    CALL(mount),
    CALL(umount),
    CALL(umount2),
    CALL(mount_setattr),
    CALL(move_mount),
    CALL(open_tree),
    CALL(open_tree_attr),
    CALL(fsopen),
    CALL(fsconfig),
    CALL(fsmount),
    CALL(fspick),
    CALL(pivot_root),
    CALL(chroot),
    CALL(setns),
    CALL(unshare),
    /* Files by their numbers, past every folder. */
    CALL(open_by_handle_at),
    CALL(name_to_handle_at),
    /* The kernel itself. */
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(reboot),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(vhangup),
    CALL(swapon),
    CALL(swapoff),
    CALL(iopl),
    CALL(ioperm),
    CALL(acct),
    CALL(quotactl),
    CALL(quotactl_fd),
    CALL(nfsservctl),
    /* The clock. Whether adjtimex() only asks stands in memory, where a filter cannot look. */
    CALL(settimeofday),
    CALL(stime),
    CALL(clock_settime),
    CALL(clock_settime64),
    CALL(clock_adjtime),
    CALL(clock_adjtime64),
    CALL(adjtimex),
    /* Keys are the user's, not the host's. */
    CALL(add_key),
    CALL(request_key),
    CALL(keyctl),
};

/* CLONE_NEWTIME is in the bits of the signal, and has no meaning in clone(). */
static const uint32_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

/* Whose first argument is a process: each does to the supervisor what no module may. */
static const int aimed[] = {
    CALL(kill),
    CALL(tkill),
    CALL(tgkill),
    CALL(rt_sigqueueinfo),
    CALL(rt_tgsigqueueinfo),
    CALL(pidfd_open),
    CALL(prlimit64),
    CALL(sched_setaffinity),
    CALL(sched_setparam),
    CALL(sched_setscheduler),
    CALL(sched_setattr),
};

/* Whose first argument says what the second is: a process, a group, or a user. */
static const int ranked[] = {CALL(setpriority), CALL(ioprio_set)};

static void deny_aiming(struct filter *filter, pid_t supervisor, pid_t group)
{
    const uint32_t targets[] = {(uint32_t)supervisor, (uint32_t)-group, (uint32_t)-1};

    for (size_t i = 0; i < ARRAY_SIZE(aimed); i++)
        for (size_t j = 0; j < ARRAY_SIZE(targets); j++)
            filter_deny_if(filter, EPERM, aimed[i], filter_low(0, targets[j]));
    /* A descriptor does not tell whose it is, and a folder of /proc is one too. Who finds no such
     * call takes kill(). */
    filter_deny(filter, ENOSYS, CALL(pidfd_send_signal));
}

/* The kinds are 0 and up in one call, 1 and up in the other: process, group, user. */
static void deny_ranking(struct filter *filter, pid_t supervisor)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(ranked); i++) {
        filter_deny_if(filter, EPERM, ranked[i], filter_low(1, (uint32_t)supervisor));
        filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_PGRP + i));
        filter_deny_if(filter, EPERM, ranked[i], filter_low(0, PRIO_USER + i));
    }
}

/* A descriptor may send signals to whoever is named as its owner: only the host itself may be.
 * Where the owner stands in memory, nobody may be named. */
static void deny_owners(struct filter *filter)
{
    static const int fcntls[] = {CALL(fcntl), CALL(fcntl64)};
    static const uint32_t commands[] = {F_SETOWN_EX, F_SETSIG};
    static const uint32_t ioctls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI};

    for (size_t i = 0; i < ARRAY_SIZE(fcntls); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(commands); j++)
            filter_deny_if(filter, EPERM, fcntls[i], filter_low(1, commands[j]));
        filter_deny_if_both(filter, EPERM, fcntls[i], filter_low(1, F_SETOWN),
                            filter_differs(2, getpid()));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
        filter_deny_if(filter, EPERM, CALL(ioctl), filter_low(1, ioctls[i]));
}

/* New processes and threads, but no new namespaces. */
static void deny_namespaces(struct filter *filter)
{
    /* Its flags are in memory. The C library takes clone() instead when there is none. */
    filter_deny(filter, ENOSYS, CALL(clone3));
    for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
        filter_deny_if(filter, EPERM, CALL(clone),
                       filter_masked(CLONE_FLAGS, namespaces[i], namespaces[i]));
}

static void deny_network(struct filter *filter)
{
    filter_deny_if(filter, EACCES, CALL(socket), filter_differs(0, AF_UNIX));
}

/* What Landlock before ABI 3 lets through: cutting a file that may only be read, by its name. */
static void deny_truncating(struct filter *filter)
{
    filter_deny(filter, EACCES, CALL(truncate));
    filter_deny(filter, EACCES, CALL(truncate64));
    filter_deny_opening(filter, EACCES, O_ACCMODE | O_TRUNC, O_RDONLY | O_TRUNC);
    filter_deny(filter, ENOSYS, CALL(openat2));
}

static void add_rules(struct filter *filter, const struct sandbox *sandbox, pid_t supervisor,
                      int landlock_abi)
{
    filter_deny_all(filter, denied, ARRAY_SIZE(denied));
    deny_aiming(filter, supervisor, getpgid(supervisor));
    deny_ranking(filter, supervisor);
    deny_owners(filter);
    deny_namespaces(filter);
    if (sandbox->check_only) {
        filter_deny_activity(filter);
        return;
    }
    if (sandbox->no_network)
        deny_network(filter);
    if (landlock_abi > 0 && landlock_abi < 3)
        deny_truncating(filter);
}

int sandbox_filter_calls(struct sandbox *sandbox, pid_t supervisor, int landlock_abi)
{
    struct filter filter;
    int r;

    filter_begin(&filter);
    add_rules(&filter, sandbox, supervisor, landlock_abi);
    r = filter_enforce(&filter);
    return r < 0 ? sandbox_cannot(sandbox, "no system call filter%s: %s",
                                  sandbox->no_network ? ", so network = no" : "", strerror(-r))
                 : 0;
}
