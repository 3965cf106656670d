/* SPDX-License-Identifier: MIT */
#include "daemon/host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <reeve/log.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"

/* What reaches into another process. */
static const int intrusive[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
                                SCMP_SYS(process_vm_writev)};

/* Whose first argument is a process. */
static const int signalling[] = {SCMP_SYS(kill),
                                 SCMP_SYS(tkill),
                                 SCMP_SYS(tgkill),
                                 SCMP_SYS(rt_sigqueueinfo),
                                 SCMP_SYS(rt_tgsigqueueinfo),
                                 SCMP_SYS(pidfd_open)};

/* What a check has no business with. */
static const int active[] = {
    SCMP_SYS(socket),   SCMP_SYS(connect),  SCMP_SYS(bind),     SCMP_SYS(execve),
    SCMP_SYS(execveat), SCMP_SYS(fork),     SCMP_SYS(vfork),    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rename),   SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),    SCMP_SYS(mkdirat),  SCMP_SYS(rmdir),    SCMP_SYS(truncate),
    SCMP_SYS(chmod),    SCMP_SYS(fchmodat), SCMP_SYS(chown),    SCMP_SYS(fchownat),
    SCMP_SYS(link),     SCMP_SYS(linkat),   SCMP_SYS(symlink),  SCMP_SYS(symlinkat),
    SCMP_SYS(creat),
};

/* Rules that name the call only. One that this architecture lacks needs none. */
static int deny_calls(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);

        if (r < 0 && r != -EDOM)
            return r;
    }
    return 0;
}

static int deny_signals(scmp_filter_ctx filter, pid_t supervisor, pid_t group)
{
    /* Process ids are 32 bits wide: the upper half of the register says nothing. */
    const uint32_t targets[] = {(uint32_t)supervisor, (uint32_t)-group, (uint32_t)-1};

    for (size_t i = 0; i < ARRAY_SIZE(signalling); i++)
        for (size_t j = 0; j < ARRAY_SIZE(targets); j++) {
            int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), signalling[i], 1,
                                     SCMP_A0_32(SCMP_CMP_EQ, targets[j]));

            if (r < 0 && r != -EDOM)
                return r;
        }
    return 0;
}

/* Opening for writing: the access mode is in the low two bits of the flags. */
static int deny_writing(scmp_filter_ctx filter)
{
    int r = 0;

    for (uint64_t mode = O_WRONLY; mode <= O_RDWR && r == 0; mode++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
        if (r == 0)
            r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, mode));
        if (r == -EDOM)
            r = 0;
    }
    return r;
}

static int load_filter(bool check_only)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    pid_t supervisor = getppid();
    int r;

    if (!filter)
        return -ENOMEM;
    r = deny_calls(filter, intrusive, ARRAY_SIZE(intrusive));
    if (r == 0)
        r = deny_signals(filter, supervisor, getpgid(supervisor));
    if (r == 0 && check_only)
        r = deny_calls(filter, active, ARRAY_SIZE(active));
    if (r == 0 && check_only)
        r = deny_writing(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int sandbox_enter(bool check_only)
{
    pid_t supervisor = getppid();
    int r;

    /* A stopped host must run to see that its supervisor is gone. */
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    if (getppid() != supervisor)
        return -ESRCH;
    if (getpriority(PRIO_PROCESS, 0) < 0)
        setpriority(PRIO_PROCESS, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        rv_log(NULL, RV_LOG_WARNING, "sandbox: cannot give up new privileges: %s", strerror(errno));
    r = load_filter(check_only);
    if (r < 0)
        rv_log(NULL, RV_LOG_WARNING, "sandbox: no system call filter: %s", strerror(-r));
    return 0;
}
