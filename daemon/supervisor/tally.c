/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

/* A host may write anything into its records; what is shown of them is at least printable. */
static void clean_task(struct scoreboard_task *task)
{
    text_sanitise(task->name);
    text_sanitise(task->last_text);
    text_sanitise(task->progress);
}

static void clean_pool(struct scoreboard_pool *pool)
{
    text_sanitise(pool->name);
    text_sanitise(pool->last_text);
}

static struct scoreboard_task *find_task(struct tally *tally, const char *name)
{
    struct scoreboard_task *tasks;

    for (size_t i = 0; i < tally->task_count; i++)
        if (strcmp(tally->tasks[i].name, name) == 0)
            return &tally->tasks[i];
    if (tally->task_count >= SCOREBOARD_TASKS)
        return NULL;
    tasks = reallocarray(tally->tasks, tally->task_count + 1, sizeof(*tasks));
    if (!tasks)
        return NULL;
    tally->tasks = tasks;
    tasks[tally->task_count] = (struct scoreboard_task){0};
    string_copy(tasks[tally->task_count].name, sizeof(tasks->name), name);
    return &tasks[tally->task_count++];
}

static struct scoreboard_pool *find_pool(struct tally *tally, const char *name)
{
    struct scoreboard_pool *pools;

    for (size_t i = 0; i < tally->pool_count; i++)
        if (strcmp(tally->pools[i].name, name) == 0)
            return &tally->pools[i];
    if (tally->pool_count >= SCOREBOARD_POOLS)
        return NULL;
    pools = reallocarray(tally->pools, tally->pool_count + 1, sizeof(*pools));
    if (!pools)
        return NULL;
    tally->pools = pools;
    pools[tally->pool_count] = (struct scoreboard_pool){0};
    string_copy(pools[tally->pool_count].name, sizeof(pools->name), name);
    return &pools[tally->pool_count++];
}

/* Sums over many incarnations, each of which may have lied. */
static int64_t add_times(int64_t a, int64_t b)
{
    return MIN(a + b, SCOREBOARD_TIME_MAX);
}

/* Levels are the newer record's, counters are added up. */
static void add_task(struct scoreboard_task *sum, const struct scoreboard_task *task)
{
    struct scoreboard_task total = *task;

    total.runs += sum->runs;
    total.failures += sum->failures;
    total.timeouts += sum->timeouts;
    total.cancels += sum->cancels;
    total.skipped += sum->skipped;
    total.total_duration = add_times(total.total_duration, sum->total_duration);
    total.worst_lateness = MAX(total.worst_lateness, sum->worst_lateness);
    total.worst_cancel = MAX(total.worst_cancel, sum->worst_cancel);
    /* A new incarnation that has not run yet has nothing newer to say. */
    if (task->ended_at == 0 && sum->ended_at != 0) {
        total.ended_at = sum->ended_at;
        total.last_code = sum->last_code;
        total.last_duration = sum->last_duration;
        total.failures_in_row = sum->failures_in_row;
        memcpy(total.last_text, sum->last_text, sizeof(total.last_text));
    }
    if (task->succeeded_at == 0)
        total.succeeded_at = sum->succeeded_at;
    *sum = total;
}

static void add_pool(struct scoreboard_pool *sum, const struct scoreboard_pool *pool)
{
    struct scoreboard_pool total = *pool;

    total.accepted += sum->accepted;
    total.finished += sum->finished;
    total.failed += sum->failed;
    total.lost += sum->lost;
    total.rejected += sum->rejected;
    total.retried += sum->retried;
    total.total_duration = add_times(total.total_duration, sum->total_duration);
    if (pool->last_failure_at == 0 && sum->last_failure_at != 0) {
        total.last_failure_at = sum->last_failure_at;
        total.last_code = sum->last_code;
        memcpy(total.last_text, sum->last_text, sizeof(total.last_text));
    }
    *sum = total;
}

static void add_tasks(struct tally *tally, const struct scoreboard *board, uint32_t slot, bool dead)
{
    for (unsigned i = 0; i < SCOREBOARD_TASKS; i++) {
        struct scoreboard_task task, *sum;
        bool whole = scoreboard_read_task(board, i, &task);

        if (!task.head.used)
            break;
        if (task.module != slot || (!whole && !dead))
            continue;
        clean_task(&task);
        if (dead) {
            task.state = SCOREBOARD_TASK_STOPPED;
            task.next_due = task.busy_until = 0;
        }
        sum = find_task(tally, task.name);
        if (sum)
            add_task(sum, &task);
    }
}

static uint64_t add_pools(struct tally *tally, const struct scoreboard *board, uint32_t slot,
                          bool dead)
{
    uint64_t all_lost = 0;

    for (unsigned i = 0; i < SCOREBOARD_POOLS; i++) {
        struct scoreboard_pool pool, *sum;
        bool whole = scoreboard_read_pool(board, i, &pool);
        uint64_t ended;

        if (!pool.head.used)
            break;
        if (pool.module != slot || (!whole && !dead))
            continue;
        clean_pool(&pool);
        ended = pool.finished + pool.failed + pool.lost;
        if (dead && ended < pool.accepted) {
            all_lost += pool.accepted - ended;
            pool.lost += pool.accepted - ended;
        }
        if (dead)
            pool.queued = pool.active = 0;
        sum = find_pool(tally, pool.name);
        if (sum)
            add_pool(sum, &pool);
    }
    return all_lost;
}

uint64_t tally_close(struct tally *tally, const struct scoreboard *board, uint32_t slot)
{
    add_tasks(tally, board, slot, true);
    return add_pools(tally, board, slot, true);
}

int tally_copy(const struct tally *tally, const struct scoreboard *board, uint32_t slot,
               struct tally *ret_copy)
{
    struct tally copy = {0};

    if (tally->task_count > 0) {
        copy.tasks = calloc(tally->task_count, sizeof(*copy.tasks));
        if (!copy.tasks)
            return -ENOMEM;
        memcpy(copy.tasks, tally->tasks, tally->task_count * sizeof(*copy.tasks));
        copy.task_count = tally->task_count;
    }
    if (tally->pool_count > 0) {
        copy.pools = calloc(tally->pool_count, sizeof(*copy.pools));
        if (!copy.pools) {
            tally_free(&copy);
            return -ENOMEM;
        }
        memcpy(copy.pools, tally->pools, tally->pool_count * sizeof(*copy.pools));
        copy.pool_count = tally->pool_count;
    }
    if (board) {
        add_tasks(&copy, board, slot, false);
        add_pools(&copy, board, slot, false);
    }
    *ret_copy = copy;
    return 0;
}

void tally_free(struct tally *tally)
{
    free(tally->tasks);
    free(tally->pools);
    *tally = (struct tally){0};
}
