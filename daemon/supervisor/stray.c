/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/stray.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host.h"

/* How long the end waits for killed processes: one that writes to a dead disk may take for ever. */
#define STOP_PATIENCE (5 * NSEC_PER_SEC)

/* How soon it is tried again to list children or to watch one, when that failed. */
#define RETRY (100 * NSEC_PER_MSEC)

struct stray {
    struct list list;
    pid_t pid;
    struct loop_child *child; /* NULL: it could not be watched yet */
};

/* There is one set of children per process, so this is the process's own state. */
static struct {
    struct loop *loop;
    struct list list;
    struct loop_timer *retry;
    bool failing; /* it has been said that something fails */
    pid_t spared;
} strays;

static void stray_free(struct stray *stray)
{
    list_remove(&stray->list);
    loop_child_destroy(stray->child);
    free(stray);
}

static void stray_ended(pid_t pid _unused_, const struct loop_exit *exit _unused_, void *arg)
{
    stray_free(arg);
    /* Its own children are ours now. */
    stray_kill_all();
}

static bool is_adopted(pid_t pid)
{
    struct stray *stray;

    LIST_FOREACH (stray, &strays.list, list)
        if (stray->pid == pid)
            return true;
    return false;
}

/* What fails for want of memory or descriptors is done later, and said once. */
static void do_later(const char *what, int error)
{
    if (!strays.failing)
        log_warning("cannot %s: %s; trying again", what, strerror(error));
    strays.failing = true;
    loop_timer_arm(strays.retry, RETRY);
}

/* Returns false when it must be tried again. */
static bool watch(struct stray *stray)
{
    int r = stray->child
                ? 0
                : loop_child_create(strays.loop, stray->pid, stray_ended, stray, &stray->child);

    if (r < 0)
        do_later("watch a process left behind", -r);
    return r == 0;
}

void stray_adopt(pid_t pid)
{
    struct stray *stray = calloc(1, sizeof(*stray));

    if (!stray) {
        /* It is found among the children then. */
        do_later("keep a process left behind in mind", ENOMEM);
        return;
    }
    list_append(&strays.list, &stray->list);
    stray->pid = pid;
    watch(stray);
}

/* Returns 0 or a negative errno when the children could not be listed. */
static int kill_all(void)
{
    /* The kernel's list of this thread's children: no other thread of the supervisor starts any, and
     * orphans come to the first. */
    FILE *file = fopen("/proc/thread-self/children", "re");
    int pid;

    if (!file)
        return -errno;
    while (fscanf(file, "%d", &pid) == 1) {
        if (pid == strays.spared || host_is_process(pid, false) || is_adopted(pid))
            continue;
        log_warning("killing process %d, left behind by a host that ended", pid);
        kill(pid, SIGKILL);
        stray_adopt(pid);
    }
    fclose(file);
    return 0;
}

void stray_kill_all(void)
{
    int r = kill_all();

    if (r < 0)
        do_later("list the processes left behind", -r);
}

void stray_spare(pid_t pid)
{
    strays.spared = pid;
}

static void try_again(void *arg _unused_)
{
    struct stray *stray;
    bool all_watched = true;
    int r = kill_all();

    LIST_FOREACH (stray, &strays.list, list)
        all_watched = watch(stray) && all_watched;
    if (r < 0)
        do_later("list the processes left behind", -r);
    else if (all_watched)
        strays.failing = false;
}

int stray_start(struct loop *loop)
{
    int r = loop_timer_create(loop, try_again, NULL, &strays.retry);

    if (r < 0)
        return r;
    strays.loop = loop;
    list_init(&strays.list);
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

/* Waits for a child of ours, which has been killed, until the deadline. */
static bool reap_by(pid_t pid, int64_t deadline)
{
    /* Ended, or no child of ours any more. */
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        int64_t left = deadline - clock_monotonic();
        struct pollfd poll_fd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

        if (left > 0)
            /* Without a descriptor to wait for: look every now and then. */
            poll(&poll_fd, 1, poll_fd.fd < 0 ? 10 : (int)(left / NSEC_PER_MSEC) + 1);
        if (poll_fd.fd >= 0)
            close(poll_fd.fd);
        if (left <= 0)
            return false;
    }
    return true;
}

void stray_stop(void)
{
    int64_t deadline = clock_monotonic() + STOP_PATIENCE;
    struct stray *stray, *next;
    bool all_gone = true;
    int r;

    if (!strays.loop)
        return;
    /* Whenever one is reaped, its own children become ours: until there are none. */
    do {
        LIST_FOREACH_SAFE (stray, next, &strays.list, list) {
            all_gone = reap_by(stray->pid, deadline) && all_gone;
            stray_free(stray);
        }
        r = kill_all();
        if (r < 0)
            poll(NULL, 0, 10);
    } while (all_gone && (r < 0 ? clock_monotonic() < deadline : !list_is_empty(&strays.list)));
    LIST_FOREACH_SAFE (stray, next, &strays.list, list)
        stray_free(stray);
    if (r < 0)
        log_error("cannot list the processes left behind: %s; some may live on", strerror(-r));
    if (!all_gone)
        log_error("processes left behind by hosts did not end after SIGKILL");
    loop_timer_destroy(strays.retry);
    strays.retry = NULL;
    strays.loop = NULL;
}
