/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    cleanup_free char *data = NULL;
    size_t size = 0, capacity = 4096;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    data = malloc(capacity);
    if (!data)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, data + size, capacity - size - 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        size += (size_t)got;
        if (size > limit)
            return -EFBIG;
        if (size + 1 == capacity) {
            char *larger = realloc(data, capacity * 2);

            if (!larger)
                return -ENOMEM;
            data = larger;
            capacity *= 2;
        }
    }
    data[size] = '\0';
    *ret_data = TAKE_PTR(data);
    *ret_size = size;
    return 0;
}

int write_all(int fd, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t written = write(fd, p, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        p += written;
        size -= (size_t)written;
    }
    return 0;
}

int fd_set_nonblock(int fd, bool nonblock)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    flags = nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool cloexec)
{
    return fcntl(fd, F_SETFD, cloexec ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_fill_standard(void)
{
    /* Each open takes the lowest number that is free, which is the one looked at. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) /* NOLINT: inherited */
            return -errno;
    return 0;
}

int fd_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (!directory)
        return -errno;
    while (readdir(directory))
        count++;
    closedir(directory);
    /* Less ".", ".." and the directory's own descriptor. */
    return count - 3;
}

int fd_finish_output(const char *program, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    /* stdio remembers that an earlier write failed, and not why. */
    fprintf(stderr, "%s: cannot write its output%s%s\n", program, errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    return code != 0 ? code : 1;
}
