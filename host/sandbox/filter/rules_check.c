/* SPDX-License-Identifier: MIT */
/*
 * The further calls that a host that only checks is denied: the constructors of a module that is
 * looked at must leave nothing behind, in files or elsewhere, and reach nobody. It reads files, has
 * threads and memory, and that is all. ftruncate() and fallocate() stay: no descriptor that can be
 * written is a file's, and memfd_create() is of little use without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>

#include "base/macro.h"
#include "host/sandbox/filter/rules.h"

static const int active[] = {
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(tkill),
    SCMP_SYS(setpriority),
    SCMP_SYS(ioprio_set),
    /* Names. */
    SCMP_SYS(creat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    /* The attributes of a file: to change most of it takes no right to write it. */
    SCMP_SYS(truncate),
    SCMP_SYS(truncate64),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    CALL_FCHMODAT2,
    SCMP_SYS(chown),
    SCMP_SYS(chown32),
    SCMP_SYS(fchown),
    SCMP_SYS(fchown32),
    SCMP_SYS(lchown),
    SCMP_SYS(lchown32),
    SCMP_SYS(fchownat),
    SCMP_SYS(utime),
    SCMP_SYS(utimes),
    SCMP_SYS(futimesat),
    SCMP_SYS(utimensat),
    SCMP_SYS(utimensat_time64),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    CALL_SETXATTRAT,
    SCMP_SYS(removexattr),
    SCMP_SYS(lremovexattr),
    SCMP_SYS(fremovexattr),
    CALL_REMOVEXATTRAT,
    CALL_FILE_SETATTR,
    /* Objects that outlive a process without being files. */
    SCMP_SYS(mq_open),
    SCMP_SYS(mq_unlink),
    /* An identifier of another is enough for these. */
    SCMP_SYS(shmat),
    SCMP_SYS(semop),
    SCMP_SYS(semtimedop),
    SCMP_SYS(msgsnd),
    SCMP_SYS(msgrcv),
    SCMP_SYS(shmget),
    SCMP_SYS(shmctl),
    SCMP_SYS(semget),
    SCMP_SYS(semctl),
    SCMP_SYS(msgget),
    SCMP_SYS(msgctl),
};

/* Whose first argument is a process: only this one. */
static const int signalling[] = {SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
                                 SCMP_SYS(rt_tgsigqueueinfo)};

/* Whose first argument is a process, or 0: only 0. */
static const int changing[] = {SCMP_SYS(prlimit64), SCMP_SYS(sched_setaffinity),
                               SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler),
                               SCMP_SYS(sched_setattr)};

/* Attributes that can be set through a descriptor for reading. */
static const uint32_t attributes[] = {FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR,
                                      FS_IOC32_SETVERSION, FS_IOC_SETVERSION};

/* Only reading what is there; the access mode is in the low two bits. Mode 3 is for drivers alone,
 * and asks for the right to write. */
static void deny_writing(scmp_filter_ctx filter)
{
    static const uint32_t flags[] = {O_CREAT, O_TRUNC, O_TMPFILE & ~O_DIRECTORY};

    for (uint32_t mode = O_WRONLY; mode <= O_ACCMODE; mode++)
        filter_deny_opening(filter, EPERM, O_ACCMODE, mode);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        filter_deny_opening(filter, EPERM, flags[i], flags[i]);
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
        filter_deny_if(filter, EPERM, SCMP_SYS(ioctl), filter_low(1, attributes[i]));
    /* Its flags are in memory. */
    filter_deny(filter, ENOSYS, SCMP_SYS(openat2));
}

static void deny_reaching(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS])
{
    filter_deny_if(filter, EPERM, SCMP_SYS(clone), filter_masked(CLONE_FLAGS, CLONE_THREAD, 0));
    for (size_t i = 0; i < ARRAY_SIZE(signalling); i++)
        filter_deny_if(filter, EPERM, signalling[i], filter_differs(0, ids[FILTER_SELF]));
    for (size_t i = 0; i < ARRAY_SIZE(changing); i++)
        filter_deny_if(filter, EPERM, changing[i], filter_differs(0, 0));
}

void filter_deny_activity(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS])
{
    filter_deny_all(filter, active, ARRAY_SIZE(active));
    deny_writing(filter);
    deny_reaching(filter, ids);
}
