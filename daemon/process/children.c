/* SPDX-License-Identifier: MIT */
#include "daemon/process/children.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/loop/loop.h"

/* The kernel's list is of the thread that opens it: orphans come to the first, and what another
 * thread has started comes to it when that ends (spawner.c). A negative errno when it could not be
 * opened. */
static int list = -ENOENT;

int children_open(void)
{
    list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0)
        list = -errno;
    return list >= 0 || list == -ENOENT ? 0 : list;
}

void children_close(void)
{
    if (list >= 0)
        close(list);
    list = -ENOENT;
}

/* The kernel moves the numbers of a list whose children come and go between two reads: the two may
 * give one number from halves of others. */
static bool is_child(pid_t pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int children_each(void (*act)(pid_t pid))
{
    char chunk[1024];
    off_t place = 0;
    ssize_t size;
    pid_t pid = 0;

    if (list < 0)
        return list;
    /* Numbers, with a blank behind each. */
    while ((size = pread(list, chunk, sizeof(chunk), place)) > 0) {
        place += size;
        for (ssize_t i = 0; i < size; i++) {
            if (chunk[i] >= '0' && chunk[i] <= '9') {
                pid = 10 * pid + (chunk[i] - '0');
                continue;
            }
            if (pid > 0 && !loop_child_is_watched(pid) && is_child(pid))
                act(pid);
            pid = 0;
        }
    }
    return size < 0 ? -errno : 0;
}
