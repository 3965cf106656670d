/* SPDX-License-Identifier: MIT */
#include "daemon/wire/hold.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/macro.h"

void hold_take(void)
{
    const struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    int fd = open(HOLD_FILE, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    /* It is never closed: that would give the lock up. */
    if (fd >= 0)
        (void)fcntl(fd, F_SETLK, &lock);
}

pid_t hold_find(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
