/* SPDX-License-Identifier: MIT */
/*
 * What a host that only checks is denied besides: the constructors of a module that is looked at
 * must leave nothing behind, in files or elsewhere, and reach nobody. It reads files, has threads
 * and memory, and that is all. ftruncate() and fallocate() stay: no descriptor that can be written
 * is a file's, and memfd_create() is of little use without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <unistd.h>

#include "base/macro.h"
#include "daemon/host/sandbox_filter.h"

static const int active[] = {
    CALL(socket),
    CALL(connect),
    CALL(bind),
    CALL(execve),
    CALL(execveat),
    CALL(fork),
    CALL(vfork),
    CALL(tkill),
    CALL(setpriority),
    CALL(ioprio_set),
    /* Names. */
    CALL(creat),
    CALL(unlink),
    CALL(unlinkat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(mkdir),
    CALL(mkdirat),
    CALL(rmdir),
    CALL(mknod),
    CALL(mknodat),
    CALL(link),
    CALL(linkat),
    CALL(symlink),
    CALL(symlinkat),
    /* What a file is: to change most of it takes no right to write it. */
    CALL(truncate),
    CALL(truncate64),
    CALL(chmod),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchmodat2),
    CALL(chown),
    CALL(chown32),
    CALL(fchown),
    CALL(fchown32),
    CALL(lchown),
    CALL(lchown32),
    CALL(fchownat),
    CALL(utime),
    CALL(utimes),
    CALL(futimesat),
    CALL(utimensat),
    CALL(utimensat_time64),
    CALL(setxattr),
    CALL(lsetxattr),
    CALL(fsetxattr),
    CALL(setxattrat),
    CALL(removexattr),
    CALL(lremovexattr),
    CALL(fremovexattr),
    CALL(removexattrat),
    CALL(file_setattr),
    /* What outlives a process without being a file. */
    CALL(mq_open),
    CALL(mq_unlink),
    /* An identifier of another is enough for these. */
    CALL(shmat),
    CALL(semop),
    CALL(semtimedop),
    CALL(msgsnd),
    CALL(msgrcv),
    CALL(shmget),
    CALL(shmctl),
    CALL(semget),
    CALL(semctl),
    CALL(msgget),
    CALL(msgctl),
};

/* Whose first argument is a process: only this one. */
static const int signalling[] = {CALL(kill), CALL(tgkill), CALL(rt_sigqueueinfo),
                                 CALL(rt_tgsigqueueinfo)};

/* Whose first argument is a process, or 0: only 0. */
static const int changing[] = {CALL(prlimit64), CALL(sched_setaffinity), CALL(sched_setparam),
                               CALL(sched_setscheduler), CALL(sched_setattr)};

/* Attributes that can be set through a descriptor for reading. */
static const uint32_t attributes[] = {FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR,
                                      FS_IOC32_SETVERSION, FS_IOC_SETVERSION};

/* Only reading what is there; the access mode is in the low two bits. Mode 3 is for drivers alone,
 * and asks for the right to write. */
static void deny_writing(struct filter *filter)
{
    static const uint32_t flags[] = {O_CREAT, O_TRUNC, O_TMPFILE & ~O_DIRECTORY};

    for (uint32_t mode = O_WRONLY; mode <= O_ACCMODE; mode++)
        filter_deny_opening(filter, EPERM, O_ACCMODE, mode);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        filter_deny_opening(filter, EPERM, flags[i], flags[i]);
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
        filter_deny_if(filter, EPERM, CALL(ioctl), filter_low(1, attributes[i]));
    /* Its flags are in memory. */
    filter_deny(filter, ENOSYS, CALL(openat2));
}

static void deny_reaching(struct filter *filter)
{
    filter_deny_if(filter, EPERM, CALL(clone), filter_masked(CLONE_FLAGS, CLONE_THREAD, 0));
    for (size_t i = 0; i < ARRAY_SIZE(signalling); i++)
        filter_deny_if(filter, EPERM, signalling[i], filter_differs(0, getpid()));
    for (size_t i = 0; i < ARRAY_SIZE(changing); i++)
        filter_deny_if(filter, EPERM, changing[i], filter_differs(0, 0));
}

void filter_deny_activity(struct filter *filter)
{
    filter_deny_all(filter, active, ARRAY_SIZE(active));
    deny_writing(filter);
    deny_reaching(filter);
}
