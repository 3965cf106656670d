/* SPDX-License-Identifier: MIT */
/* A pidfd tells only of the end; so these come by SIGCHLD, which may stand for several children. */
#include "daemon/supervisor/host_stops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host_internal.h"

struct host_stops {
    struct loop *loop;
    struct loop_signals *signals;
    struct loop_timer *timer; /* of the first grace that is over */
    void (*changed)(void *arg);
    void *arg;
};

static void arm(struct host_stops *stops)
{
    int64_t earliest = INT64_MAX, now = clock_monotonic();
    const struct host *host;

    LIST_FOREACH (host, host_all(), all)
        if (host->stopped_at > 0 && host->state != HOST_ENDING)
            earliest = MIN(earliest, host->stopped_at + host->grace);
    if (earliest == INT64_MAX)
        loop_timer_disarm(stops->timer);
    else
        loop_timer_arm(stops->timer, earliest - now);
}

/* Takes in what the kernel has to say of one child. Returns whether anything changed. */
static bool look_at(struct host *host)
{
    siginfo_t info = {0};
    char grace[DURATION_TEXT_SIZE];

    if (host->pid == 0 ||
        waitid(P_PID, (id_t)host->pid, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 ||
        info.si_pid == 0)
        return false;
    if (info.si_code == CLD_STOPPED && host->stopped_at == 0) {
        host->stopped_at = clock_monotonic();
        log_warning(
            "[%s] process %d was stopped by SIG%s: it is killed unless it is continued within "
            "%s (grace)",
            host->name, (int)host->pid, sigabbrev_np(info.si_status),
            duration_format(host->grace, grace, sizeof(grace)));
    } else if (info.si_code == CLD_CONTINUED && host->stopped_at != 0) {
        host->stopped_at = 0;
        log_notice("[%s] process %d was continued", host->name, (int)host->pid);
    }
    return true;
}

static void child_changed(int signal _unused_, const struct loop_sender *sender _unused_, void *arg)
{
    struct host_stops *stops = arg;
    bool any = false;
    struct host *host;

    LIST_FOREACH (host, host_all(), all)
        any = look_at(host) || any;
    if (!any)
        return;
    arm(stops);
    stops->changed(stops->arg);
}

static void grace_over(void *arg)
{
    struct host_stops *stops = arg;
    int64_t now = clock_monotonic();
    char grace[DURATION_TEXT_SIZE];
    struct host *host;

    LIST_FOREACH (host, host_all(), all)
        if (host->stopped_at > 0 && now >= host->stopped_at + host->grace)
            host_kill(host, "it was stopped for %s",
                      duration_format(host->grace, grace, sizeof(grace)));
    arm(stops);
}

int host_stops_create(struct loop *loop, void (*changed)(void *arg), void *arg,
                      struct host_stops **ret_stops)
{
    static const int signals[] = {SIGCHLD, 0};
    struct host_stops *stops = calloc(1, sizeof(*stops));
    int r;

    if (!stops)
        return -ENOMEM;
    *stops = (struct host_stops){.loop = loop, .changed = changed, .arg = arg};
    r = loop_timer_create(loop, grace_over, stops, &stops->timer);
    if (r == 0)
        r = loop_signals_create(loop, signals, child_changed, stops, &stops->signals);
    if (r < 0) {
        host_stops_destroy(stops);
        return r;
    }
    *ret_stops = stops;
    return 0;
}

void host_stops_destroy(struct host_stops *stops)
{
    if (!stops)
        return;
    loop_signals_destroy(stops->signals);
    loop_timer_destroy(stops->timer);
    free(stops);
}
