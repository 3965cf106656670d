/* SPDX-License-Identifier: MIT */
#include "daemon/edge/page/run_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/name_map.h"
#include "base/text.h"
#include "daemon/edge/documents.h"
#include "daemon/loop/loop.h"

#define MINUTE (60 * NSEC_PER_SEC)

/* One task. */
struct entry {
    char *key;                             /* "MODULE/TASK" */
    uint64_t runs, failures;               /* at the last sample */
    char minutes[RUN_HISTORY_MINUTES - 1]; /* that are over, the oldest first */
};

struct run_history {
    struct documents *documents;
    struct loop_timer *timer;
    bool (*wanted)(void *arg);
    void *arg;
    struct entry *entries;
    size_t count;
    struct name_map by_key; /* of the entries */
    int64_t minute;         /* the end that was sampled last, in minutes since the epoch */
    bool based;             /* the counters of the tasks that were there at first are known */
    bool failing;           /* that there is no memory was told */
};

static void free_entries(struct entry *entries, size_t count, struct name_map *by_key)
{
    for (size_t i = 0; i < count; i++)
        free(entries[i].key);
    free(entries);
    name_map_free(by_key);
}

static bool make_key(const char *module, const struct snapshot_task *task, char *key, size_t size)
{
    return (size_t)snprintf(key, size, "%s/%s", module, task->record->name) < size;
}

/* What has ended since the counters stood so; counters that went back are those of another life of
 * the task. */
static char judge(const struct scoreboard_task *record, uint64_t runs, uint64_t failures)
{
    uint64_t ended = record->runs >= runs ? record->runs - runs : record->runs;
    uint64_t failed = record->failures >= failures ? record->failures - failures : record->failures;

    if (ended == 0)
        return scoreboard_task_is_running(record) ? RUN_HISTORY_LONG : RUN_HISTORY_NONE;
    if (failed == 0)
        return RUN_HISTORY_GOOD;
    return failed >= ended ? RUN_HISTORY_FAILED : RUN_HISTORY_MIXED;
}

/* Since the entry was made. What a task without one (NULL) ever did was in the present minute, if
 * the history is based. */
static char judge_since(const struct run_history *history, const struct entry *entry,
                        const struct scoreboard_task *record)
{
    if (entry)
        return judge(record, entry->runs, entry->failures);
    return history->based ? judge(record, 0, 0) : RUN_HISTORY_UNKNOWN;
}

/* The minute that is over comes to the end, and the oldest goes. */
static void push(const struct run_history *history, struct entry *entry, const struct entry *before,
                 const struct scoreboard_task *record)
{
    const size_t last = sizeof(entry->minutes) - 1;

    if (before)
        memcpy(entry->minutes, before->minutes + 1, last);
    else
        memset(entry->minutes, RUN_HISTORY_UNKNOWN, last);
    entry->minutes[last] = judge_since(history, before, record);
    entry->runs = record->runs;
    entry->failures = record->failures;
}

static size_t count_tasks(const struct snapshot *snapshot)
{
    size_t count = 0;

    for (size_t i = 0; i < snapshot->module_count; i++)
        count += snapshot->modules[i].task_count;
    return count;
}

/* The tasks of the snapshot alone: those that are gone are forgotten. Returns 0 or -ENOMEM. */
static int take(struct run_history *history, const struct snapshot *snapshot)
{
    struct entry *entries = calloc(count_tasks(snapshot) + 1, sizeof(*entries));
    struct name_map by_key = {0};
    size_t count = 0;
    char key[160];

    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];

        for (size_t j = 0; j < module->task_count; j++) {
            struct entry *entry = &entries[count];

            if (!make_key(module->name, &module->tasks[j], key, sizeof(key)) ||
                name_map_find(&by_key, key))
                continue;
            push(history, entry, name_map_find(&history->by_key, key), module->tasks[j].record);
            entry->key = strdup(key);
            count++;
            if (!entry->key || name_map_add(&by_key, entry->key, entry) < 0) {
                free_entries(entries, count, &by_key);
                return -ENOMEM;
            }
        }
    }
    free_entries(history->entries, history->count, &history->by_key);
    history->entries = entries;
    history->count = count;
    history->by_key = by_key;
    return 0;
}

void run_history_sample(struct run_history *history)
{
    const struct snapshot *snapshot = documents_snapshot(history->documents);
    int r = snapshot ? take(history, snapshot) : -ENOMEM;

    if (r < 0 && !history->failing)
        log_warning("no memory for the runs of the last hour: the page shows a minute less");
    history->failing = r < 0;
    history->based = history->based || r == 0;
}

/* At the ends of minutes of the clock. */
static void arm(struct run_history *history)
{
    loop_timer_arm(history->timer, MINUTE - clock_realtime() % MINUTE);
}

static void minute_over(void *arg)
{
    struct run_history *history = arg;
    /* The one that is nearest: the clock of timers is another. */
    int64_t minute = (clock_realtime() + MINUTE / 2) / MINUTE;

    if (minute == history->minute) {
        arm(history);
        return;
    }
    history->minute = minute;
    if (history->wanted(history->arg)) {
        run_history_sample(history);
    } else {
        history->based = false;
        free_entries(history->entries, history->count, &history->by_key);
        history->entries = NULL;
        history->count = 0;
        history->by_key = (struct name_map){0};
    }
    arm(history);
}

int run_history_create(struct loop *loop, struct documents *documents,
                       struct run_history **ret_history)
{
    struct run_history *history = calloc(1, sizeof(*history));

    if (!history)
        return -ENOMEM;
    history->documents = documents;
    if (loop_timer_create(loop, minute_over, history, &history->timer) < 0) {
        free(history);
        return -ENOMEM;
    }
    *ret_history = history;
    return 0;
}

void run_history_start(struct run_history *history, bool (*wanted)(void *arg), void *arg)
{
    history->wanted = wanted;
    history->arg = arg;
    /* A daemon that goes on after an upgrade has counted before; one that begins has no task yet.
     */
    if (wanted(arg))
        run_history_sample(history);
    arm(history);
}

void run_history_destroy(struct run_history *history)
{
    if (!history)
        return;
    loop_timer_destroy(history->timer);
    free_entries(history->entries, history->count, &history->by_key);
    free(history);
}

void run_history_line(const struct run_history *history, const char *module,
                      const struct snapshot_task *task, char ret_line[static RUN_HISTORY_SIZE])
{
    const struct entry *entry = NULL;
    char key[160];

    if (make_key(module, task, key, sizeof(key)))
        entry = name_map_find(&history->by_key, key);
    if (entry)
        memcpy(ret_line, entry->minutes, sizeof(entry->minutes));
    else
        memset(ret_line, RUN_HISTORY_UNKNOWN, RUN_HISTORY_MINUTES - 1);
    ret_line[RUN_HISTORY_MINUTES - 1] = judge_since(history, entry, task->record);
    ret_line[RUN_HISTORY_MINUTES] = '\0';
}
