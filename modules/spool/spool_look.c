/* SPDX-License-Identifier: MIT */
/* Looks at a file: which one it is, and whether it is complete. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* How long nobody must have written to a file of which nothing else is known. */
#define SETTLED_SECONDS 10

int file_stat(int folder, const char *name, struct statx *ret_status)
{
    if (statx(folder, name, AT_SYMLINK_NOFOLLOW | (name[0] == '\0' ? AT_EMPTY_PATH : 0),
              STATX_BASIC_STATS | STATX_BTIME, ret_status) < 0)
        return -errno;
    if (!(ret_status->stx_mask & STATX_BTIME))
        ret_status->stx_btime = (struct statx_timestamp){0};
    return 0;
}

static bool is_same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_is_same(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
           a->stx_dev_minor == b->stx_dev_minor && is_same_time(&a->stx_btime, &b->stx_btime);
}

bool file_is_unchanged(const struct statx *a, const struct statx *b)
{
    return file_is_same(a, b) && a->stx_size == b->stx_size &&
           is_same_time(&a->stx_mtime, &b->stx_mtime);
}

bool file_is_gone(int folder, const char *name)
{
    struct statx status;

    return file_stat(folder, name, &status) == -ENOENT;
}

/* Whether files are written by others than this kernel, which grants leases all the same: FUSE is
 * what directories of other machines (sshfs, a store of objects, a virtual machine's host) are
 * mounted by. */
static bool is_written_elsewhere(int fd)
{
    struct statfs status;

    return fstatfs(fd, &status) == 0 && status.f_type == FUSE_SUPER_MAGIC;
}

/* A read lease is refused while anybody has the file open for writing. There are none for the files
 * of other users (but with CAP_LEASE) and on some network file systems. A writer that comes while
 * we hold one breaks it: the kernel sends SIGIO, which hosts ignore, and lets the writer wait until
 * we have given it up. */
enum file_look file_look_at(int fd)
{
    bool broken;

    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return errno == EAGAIN ? FILE_GROWING : FILE_UNCERTAIN;
    broken = fcntl(fd, F_GETLEASE) != F_RDLCK;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    if (broken)
        return FILE_GROWING;
    return is_written_elsewhere(fd) ? FILE_UNCERTAIN : FILE_COMPLETE;
}

static enum file_look fail(int error, int *ret_error)
{
    *ret_error = -error;
    switch (error) {
    case ENOENT:
        return FILE_GONE;
    case ELOOP:
    case ENXIO:
        return FILE_ODD;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return FILE_UNKNOWN;
    default:
        return FILE_UNREADABLE;
    }
}

enum file_look file_look(int folder, const char *name, int *ret_error)
{
    struct statx status;
    int r = file_stat(folder, name, &status), fd;
    enum file_look what;

    if (r < 0)
        return fail(-r, ret_error);
    /* Before it is opened, as opening a device does things. */
    if (!S_ISREG(status.stx_mode))
        return FILE_ODD;
    fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail(errno, ret_error);
    what = file_look_at(fd);
    close(fd);
    return what;
}

bool file_is_settled(int folder, const char *name)
{
    struct statx status;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    /* A file may come with the time of its original, and a server have a clock of its own. */
    return file_stat(folder, name, &status) == 0 &&
           llabs((long long)(now.tv_sec - status.stx_mtime.tv_sec)) >= SETTLED_SECONDS;
}

bool spool_takes_name(const struct spool *spool, const char *name)
{
    if (name[0] == '.')
        return false;
    for (size_t i = 0; i < spool->ignore.count; i++)
        if (fnmatch(spool->ignore.items[i], name, 0) == 0)
            return false;
    return true;
}
