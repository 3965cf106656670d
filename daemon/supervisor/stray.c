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

struct stray {
    struct list list;
    pid_t pid;
    struct loop_child *child;
};

/* There is one set of children per process, so this is the process's own state. */
static struct {
    struct loop *loop;
    struct list list;
} strays;

static void stray_free(struct stray *stray)
{
    list_remove(&stray->list);
    loop_child_destroy(stray->child);
    free(stray);
}

static void stray_ended(pid_t pid unused, const struct loop_exit *exit unused, void *arg)
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

void stray_adopt(pid_t pid)
{
    struct stray *stray = calloc(1, sizeof(*stray));
    int r = -ENOMEM;

    if (stray) {
        list_append(&strays.list, &stray->list);
        stray->pid = pid;
        r = loop_child_create(strays.loop, pid, stray_ended, stray, &stray->child);
    }
    if (r < 0) {
        log_error("cannot watch process %d, which stays unreaped: %s", (int)pid, strerror(-r));
        if (stray)
            stray_free(stray);
    }
}

void stray_kill_all(void)
{
    /* The kernel's list of this thread's children: the supervisor has only one thread. */
    FILE *file = fopen("/proc/thread-self/children", "re");
    int pid;

    if (!file)
        return;
    while (fscanf(file, "%d", &pid) == 1) {
        if (host_is_process(pid, false) || is_adopted(pid))
            continue;
        log_warning("killing process %d, left behind by a host that ended", pid);
        kill(pid, SIGKILL);
        stray_adopt(pid);
    }
    fclose(file);
}

int stray_start(struct loop *loop)
{
    strays.loop = loop;
    list_init(&strays.list);
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

/* Waits for a child of ours, which has been killed, for what is left until the deadline. */
static bool reap_by(pid_t pid, int64_t deadline)
{
    int64_t left = deadline - clock_monotonic();
    struct pollfd poll_fd = {.events = POLLIN};
    bool reaped;

    poll_fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (poll_fd.fd >= 0 && left > 0)
        poll(&poll_fd, 1, (int)(left / NSEC_PER_MSEC) + 1);
    reaped = waitpid(pid, NULL, WNOHANG) != 0;
    if (poll_fd.fd >= 0)
        close(poll_fd.fd);
    return reaped;
}

void stray_stop(void)
{
    int64_t deadline = clock_monotonic() + STOP_PATIENCE;
    struct stray *stray, *next;
    bool all_gone = true;

    if (!strays.loop)
        return;
    /* Whenever one is reaped, its own children become ours: until there are none. */
    while (all_gone && !list_is_empty(&strays.list)) {
        LIST_FOREACH_SAFE (stray, next, &strays.list, list) {
            all_gone = reap_by(stray->pid, deadline) && all_gone;
            stray_free(stray);
        }
        stray_kill_all();
    }
    LIST_FOREACH_SAFE (stray, next, &strays.list, list)
        stray_free(stray);
    if (!all_gone)
        log_error("processes left behind by hosts did not end after SIGKILL");
    strays.loop = NULL;
}
