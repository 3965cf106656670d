/* SPDX-License-Identifier: MIT */
/* A pidfd tells only of the end; so these come by SIGCHLD, which may stand for several children,
 * and also tells of orphans, of which there is no pidfd. */
#include "daemon/process/host_stops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host_internal.h"
#include "daemon/process/orphan.h"

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

static void note(struct host *host, const siginfo_t *info)
{
    char grace[DURATION_TEXT_SIZE];

    if (info->si_code == CLD_STOPPED && host->stopped_at == 0) {
        host->stopped_at = clock_monotonic();
        log_warning("[%s] process %d was stopped by %s: it is killed unless it is continued within "
                    "%s (grace)",
                    host_label(host), (int)host->identity.pid, signal_name(info->si_status),
                    duration_format(host->grace, grace, sizeof(grace)));
    } else if (info->si_code == CLD_CONTINUED && host->stopped_at != 0) {
        host->stopped_at = 0;
        log_notice("[%s] process %d was continued", host_label(host), (int)host->identity.pid);
    }
}

static struct host *find(pid_t pid)
{
    struct host *host;

    LIST_FOREACH (host, host_all(), all)
        if (host->identity.pid == pid)
            return host;
    return NULL;
}

/* Takes in what the kernel has to say of children that were stopped or continued: hosts and
 * orphans. */
static bool look_for_stops(void)
{
    bool any = false;

    for (;;) {
        siginfo_t info = {0};
        struct host *host;

        if (waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 || info.si_pid == 0)
            return any;
        host = find(info.si_pid);
        if (host)
            note(host, &info);
        any = any || host;
    }
}

static void child_changed(int signal _unused_, const struct loop_sender *sender _unused_, void *arg)
{
    struct host_stops *stops = arg;

    orphan_reap();
    if (!look_for_stops())
        return;
    arm(stops);
    stops->changed(stops->arg);
}

void host_stops_resume(struct host_stops *stops)
{
    (void)look_for_stops();
    arm(stops);
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
