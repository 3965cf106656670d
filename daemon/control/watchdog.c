/* SPDX-License-Identifier: MIT */
#include "daemon/control/watchdog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "wire/scoreboard.h"

/* The time that a host gets to report a task of its own before the supervisor steps in. */
#define WATCH_SLACK NSEC_PER_SEC

/* How long a writer of a record may take, preempted or not. */
#define TORN_MAX (5 * NSEC_PER_SEC)

/* A task that starts soon may then be busy only so long: look again when it has started. A host
 * that is ready is looked at no less often than this, and no more often than once a slack. */
struct watchdog {
    struct units *units;
    struct loop_timer *timer;
    int64_t look_at; /* when the timer is due; INT64_MAX: it is not armed */
};

#define RECORDS (SCOREBOARD_TASKS + SCOREBOARD_THREADS)

static struct scoreboard_head read_head(const struct scoreboard *board, unsigned i)
{
    return i < SCOREBOARD_TASKS ? scoreboard_read_head(&board->tasks[i])
                                : scoreboard_read_head(&board->threads[i - SCOREBOARD_TASKS]);
}

/* The first half-written record from there on; RECORDS: there is none. */
static unsigned find_torn(const struct scoreboard *board, unsigned i, uint32_t *ret_sequence)
{
    for (; i < RECORDS; i++) {
        struct scoreboard_head head = read_head(board, i);

        *ret_sequence = head.sequence;
        if (head.sequence % 2 != 0)
            return i;
        /* The rest of its kind is unused as well. */
        if (!head.used)
            i = (i < SCOREBOARD_TASKS ? SCOREBOARD_TASKS : RECORDS) - 1;
    }
    return RECORDS;
}

/* A record that nobody finishes writing: its writer is gone, or never was one. One is watched at a
 * time; when something has written it, it is the next one's turn, so that none that changes all the
 * time hides another. */
static bool is_damaged(struct tenancy *tenancy, const struct scoreboard *board, int64_t now)
{
    struct torn_record *torn = &tenancy->torn;
    unsigned i = RECORDS;
    uint32_t sequence;

    if (torn->since > 0 && read_head(board, torn->i).sequence == torn->sequence)
        return now - torn->since > TORN_MAX && !host_is_stopped(tenancy->host);
    if (torn->since > 0)
        i = find_torn(board, torn->i + 1, &sequence);
    if (i == RECORDS)
        i = find_torn(board, 0, &sequence);
    *torn = (struct torn_record){.i = i, .sequence = sequence, .since = i < RECORDS ? now : 0};
    return false;
}

/* When something of the task must have changed; INT64_MAX: never. Kills the host when that time has
 * passed for one that is still busy. */
static int64_t look_at_task(struct tenancy *tenancy, struct scoreboard_task *task, int64_t now)
{
    bool busy = scoreboard_task_is_running(task);

    if (busy && task->busy_until > 0 && now > task->busy_until + WATCH_SLACK) {
        text_sanitise(task->name);
        host_kill_hanging(tenancy->host, task->module,
                          "task %s hangs: run %llu is busy past its timeout and grace", task->name,
                          (unsigned long long)task->run);
    } else if (busy && task->busy_until > 0) {
        return task->busy_until + WATCH_SLACK;
    } else if (!busy && task->next_due > 0) {
        return MAX(task->next_due, now) + WATCH_SLACK;
    }
    return INT64_MAX;
}

/* The same of what a thread runs: jobs have no record of their own. */
static int64_t look_at_thread(struct tenancy *tenancy, struct scoreboard_thread *thread,
                              int64_t now)
{
    if (thread->since == 0 || thread->busy_until == 0)
        return INT64_MAX;
    if (now <= thread->busy_until + WATCH_SLACK)
        return thread->busy_until + WATCH_SLACK;
    text_sanitise(thread->what);
    host_kill_hanging(tenancy->host, thread->module,
                      "%s hangs: run %llu is busy past its timeout and grace", thread->what,
                      (unsigned long long)thread->run);
    return INT64_MAX;
}

static int64_t look_at_threads(struct tenancy *tenancy, int64_t now)
{
    const struct scoreboard *board = host_scoreboard(tenancy->host);
    int64_t earliest = INT64_MAX;

    for (unsigned i = 0;
         host_state(tenancy->host) == HOST_UP && scoreboard_next_thread(board, SCOREBOARD_ANY, &i);
         i++) {
        struct scoreboard_thread thread;
        bool whole = scoreboard_read_thread(board, i, &thread);

        if (!thread.head.used)
            break;
        earliest = MIN(earliest, whole ? look_at_thread(tenancy, &thread, now) : now + WATCH_SLACK);
    }
    return earliest;
}

/* The earliest time after which something of the host's must have changed; INT64_MAX: none. */
static int64_t look_at(struct tenancy *tenancy, int64_t now)
{
    const struct scoreboard *board = host_scoreboard(tenancy->host);
    int64_t earliest = INT64_MAX;

    if (host_state(tenancy->host) != HOST_UP || !board) {
        tenancy->torn.since = 0;
        return INT64_MAX;
    }
    if (!scoreboard_is_intact(board))
        host_kill(tenancy->host, "it has damaged its scoreboard");
    else if (is_damaged(tenancy, board, now))
        host_kill(tenancy->host, "it has damaged its scoreboard: a record stays half-written");
    for (unsigned i = 0;
         host_state(tenancy->host) == HOST_UP && scoreboard_next_task(board, SCOREBOARD_ANY, &i);
         i++) {
        struct scoreboard_task task;
        bool whole = scoreboard_read_task(board, i, &task);

        if (!task.head.used)
            break;
        earliest = MIN(earliest, whole ? look_at_task(tenancy, &task, now) : now + WATCH_SLACK);
    }
    if (tenancy->torn.since > 0)
        earliest = MIN(earliest, now + WATCH_SLACK);
    return MIN(earliest, look_at_threads(tenancy, now));
}

/* A run that is due within a slack has started by the next look, so no start is missed. */
void watchdog_note_schedules(struct watchdog *watchdog)
{
    struct unit *unit;

    LIST_FOREACH (unit, &watchdog->units->list, list) {
        const struct scoreboard *board = host_scoreboard(unit->tenancy->host);

        if (unit->attached && board)
            last_runs_read_board(watchdog->units->last_runs, unit->name, board, unit->slot);
    }
}

void watchdog_update(struct watchdog *watchdog)
{
    int64_t now = clock_monotonic(), earliest = INT64_MAX;
    struct tenancy *tenancy;

    watchdog_note_schedules(watchdog);
    LIST_FOREACH (tenancy, &watchdog->units->tenancies, list)
        earliest = MIN(earliest, look_at(tenancy, now));
    watchdog->look_at = earliest == INT64_MAX ? INT64_MAX : MAX(earliest, now + WATCH_SLACK);
    if (earliest == INT64_MAX)
        loop_timer_disarm(watchdog->timer);
    else
        loop_timer_arm(watchdog->timer, watchdog->look_at - now);
}

void watchdog_expect(struct watchdog *watchdog, int64_t time)
{
    int64_t now = clock_monotonic();

    /* A host may say anything. */
    time = MAX(MIN(time, SCOREBOARD_TIME_MAX), now) + WATCH_SLACK;
    if (time >= watchdog->look_at)
        return;
    watchdog->look_at = time;
    loop_timer_arm(watchdog->timer, time - now);
}

static void look_again(void *arg)
{
    watchdog_update(arg);
}

int watchdog_create(struct units *units, struct watchdog **ret_watchdog)
{
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog));

    if (!watchdog)
        return -ENOMEM;
    watchdog->units = units;
    watchdog->look_at = INT64_MAX;
    if (loop_timer_create(units->loop, look_again, watchdog, &watchdog->timer) < 0) {
        free(watchdog);
        return -ENOMEM;
    }
    *ret_watchdog = watchdog;
    return 0;
}

void watchdog_destroy(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    loop_timer_destroy(watchdog->timer);
    free(watchdog);
}
