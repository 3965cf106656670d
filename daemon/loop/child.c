/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/list.h"
#include "daemon/loop/loop.h"

#define BUCKETS 256

/* How many are reaped before others have their turn. */
#define REAP_MAX 256

struct loop_child {
    struct list list; /* in its bucket */
    pid_t pid;
    bool ended;
    int fd;
    struct loop_io *io;
    loop_child_fn fn;
    void *arg;
};

/* All that are watched, by their pids: there is one set of children per process. */
static struct list buckets[BUCKETS];

static struct list *bucket_of(pid_t pid)
{
    struct list *bucket = &buckets[(unsigned)pid % BUCKETS];

    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

static struct loop_child *find(pid_t pid)
{
    struct loop_child *child;

    LIST_FOREACH (child, bucket_of(pid), list)
        if (child->pid == pid && !child->ended)
            return child;
    return NULL;
}

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

/* Returns 1 when it was reaped, 0 when it has not ended, and a negative errno. */
static int reap(pid_t pid, struct loop_exit *ret_exit)
{
    struct rusage usage = {0};
    int status;
    pid_t r = wait4(pid, &status, WNOHANG, &usage);

    *ret_exit = (struct loop_exit){.code = -1};
    if (r <= 0)
        return r < 0 ? -errno : 0;
    if (WIFEXITED(status)) {
        ret_exit->code = WEXITSTATUS(status);
    } else {
        ret_exit->signal = WTERMSIG(status);
        ret_exit->core = WCOREDUMP(status);
    }
    ret_exit->cpu = to_ns(usage.ru_utime) + to_ns(usage.ru_stime);
    return 1;
}

static void look_at(struct loop_child *child)
{
    struct loop_exit ended;
    int r = child->ended ? 0 : reap(child->pid, &ended);

    /* After ECHILD somebody else reaped it, and what happened will never be known: code -1. */
    if (r == 0 || (r < 0 && r != -ECHILD))
        return;
    child->ended = true;
    loop_io_watch(child->io, 0);
    child->fn(child->pid, &ended, child->arg);
}

static void child_ended(int fd _unused_, unsigned events _unused_, void *arg)
{
    look_at(arg);
}

bool loop_child_is_watched(pid_t pid)
{
    return find(pid) != NULL;
}

bool loop_reap_children(loop_child_fn orphan, void *arg)
{
    for (int i = 0; i < REAP_MAX; i++) {
        siginfo_t info = {0};
        struct loop_child *child;
        struct loop_exit ended;

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return true;
        child = find(info.si_pid);
        if (child)
            look_at(child);
        else if (reap(info.si_pid, &ended) == 1)
            orphan(info.si_pid, &ended, arg);
    }
    return false;
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
    list_append(bucket_of(pid), &child->list);
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
    list_remove(&child->list);
    loop_io_destroy(child->io);
    close(child->fd);
    free(child);
}
