/* SPDX-License-Identifier: MIT */
#include "wire/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/macro.h"

int hold_take(void)
{
    const struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    cleanup_close int fd =
        open(HOLD_FILE, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0)
        return -errno;
    /* It is never closed: that would give the lock up. */
    (void)TAKE_FD(fd);
    return 0;
}

pid_t hold_find(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
        return errno == ENOENT ? 0 : -errno;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
