/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/duration.h"
#include "daemon/loop/loop.h"

struct loop_child {
    pid_t pid;
    int fd;
    struct loop_io *io;
    loop_child_fn fn;
    void *arg;
};

/* glibc has these from 2.36 on, in a header that older ones lack. */
static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int send_signal(int pidfd, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static int64_t to_ns(struct timeval time)
{
    return time.tv_sec * NSEC_PER_SEC + time.tv_usec * NSEC_PER_USEC;
}

static void child_ended(int fd _unused_, unsigned events _unused_, void *arg)
{
    struct loop_child *child = arg;
    struct loop_exit ended = {.code = -1};
    struct rusage usage = {0};
    int status;
    pid_t r = wait4(child->pid, &status, WNOHANG, &usage);

    if (r == 0 || (r < 0 && errno != ECHILD))
        return;
    /* After ECHILD somebody else reaped it, and what happened will never be known: code -1. */
    if (r > 0 && WIFEXITED(status)) {
        ended.code = WEXITSTATUS(status);
    } else if (r > 0) {
        ended.signal = WTERMSIG(status);
        ended.core = WCOREDUMP(status);
    }
    ended.cpu = to_ns(usage.ru_utime) + to_ns(usage.ru_stime);
    loop_io_watch(child->io, 0);
    child->fn(child->pid, &ended, child->arg);
}

int loop_child_create(struct loop *loop, pid_t pid, loop_child_fn fn, void *arg,
                      struct loop_child **ret_child)
{
    struct loop_child *child = calloc(1, sizeof(*child));
    int r;

    if (!child)
        return -ENOMEM;
    *child = (struct loop_child){.pid = pid, .fd = open_pidfd(pid), .fn = fn, .arg = arg};
    if (child->fd < 0) {
        r = -errno;
        free(child);
        return r;
    }
    r = loop_io_create(loop, child->fd, LOOP_READ, child_ended, child, &child->io);
    if (r < 0) {
        close(child->fd);
        free(child);
        return r;
    }
    *ret_child = child;
    return 0;
}

int loop_child_kill(struct loop_child *child, int signal)
{
    return send_signal(child->fd, signal) < 0 ? -errno : 0;
}

void loop_child_destroy(struct loop_child *child)
{
    if (!child)
        return;
    loop_io_destroy(child->io);
    close(child->fd);
    free(child);
}
