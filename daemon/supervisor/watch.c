/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host.h"
#include "daemon/supervisor/ledger.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/tenancy.h"
#include "daemon/supervisor/unit.h"

/* What a host gets to report a task of its own before the supervisor steps in. */
#define WATCH_SLACK NSEC_PER_SEC

/* A task that starts soon may then be busy only so long: look again when it has started. A host
 * that is ready is looked at no less often than this, and no more often than once a slack. */
struct watch {
    struct supervisor *supervisor;
    struct loop_timer *timer;
};

/* The earliest time after which something of the host's must have changed; INT64_MAX: none. Kills
 * the host when that time has passed for something that is still busy. */
static int64_t look_at(struct tenancy *tenancy, int64_t now)
{
    const struct scoreboard *board = host_scoreboard(tenancy->host);
    int64_t earliest = INT64_MAX;

    if (host_state(tenancy->host) != HOST_UP || !board)
        return INT64_MAX;
    for (unsigned i = 0; i < SCOREBOARD_TASKS; i++) {
        struct scoreboard_task task;
        bool busy;

        if (!scoreboard_read_task(board, i, &task))
            continue;
        if (!task.head.used)
            break;
        busy = task.state == SCOREBOARD_TASK_RUNNING || task.state == SCOREBOARD_TASK_CANCELLED;
        if (busy && task.busy_until > 0 && now > task.busy_until + WATCH_SLACK) {
            text_sanitise(task.name);
            host_kill_hanging(tenancy->host, task.module,
                              "task %s hangs: run %llu is busy past its timeout and grace",
                              task.name, (unsigned long long)task.run);
            return INT64_MAX;
        }
        if (busy && task.busy_until > 0)
            earliest = MIN(earliest, task.busy_until + WATCH_SLACK);
        else if (!busy && task.next_due > 0)
            earliest = MIN(earliest, MAX(task.next_due, now) + WATCH_SLACK);
    }
    return earliest;
}

/* What is due within a slack has started by the next look, so no start is missed. */
static void note_starts(struct watch *watch)
{
    struct unit *unit;

    LIST_FOREACH (unit, &watch->supervisor->units, list) {
        const struct scoreboard *board = host_scoreboard(unit->tenancy->host);

        if (unit->attached && board)
            ledger_read_board(watch->supervisor->ledger, unit->name, board, unit->slot);
    }
}

void watch_update(struct watch *watch)
{
    int64_t now = clock_monotonic(), earliest = INT64_MAX;
    struct tenancy *tenancy;

    note_starts(watch);

    LIST_FOREACH (tenancy, &watch->supervisor->tenancies, list)
        earliest = MIN(earliest, look_at(tenancy, now));
    if (earliest == INT64_MAX)
        loop_timer_disarm(watch->timer);
    else
        loop_timer_arm(watch->timer, MAX(earliest - now, WATCH_SLACK));
}

static void look_again(void *arg)
{
    watch_update(arg);
}

int watch_create(struct supervisor *supervisor, struct watch **ret_watch)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->supervisor = supervisor;
    if (loop_timer_create(supervisor->loop, look_again, watch, &watch->timer) < 0) {
        free(watch);
        return -ENOMEM;
    }
    *ret_watch = watch;
    return 0;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    loop_timer_destroy(watch->timer);
    free(watch);
}
