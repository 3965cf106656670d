/* SPDX-License-Identifier: MIT */
#include "daemon/unit/counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"
#include "wire/histogram.h"

/* A host may write anything into its records; what is shown of them is at least printable. */
static void clean_task(struct scoreboard_task *task)
{
    text_sanitise(task->name);
    text_clean_lines(task->last_text, sizeof(task->last_text));
    text_clean_lines(task->progress, sizeof(task->progress));
    text_sanitise(task->schedule);
}

static void clean_pool(struct scoreboard_pool *pool)
{
    text_sanitise(pool->name);
    text_clean_lines(pool->last_text, sizeof(pool->last_text));
    text_clean_lines(pool->progress, sizeof(pool->progress));
}

/* The record of that name, which is added, empty, if there is none. NULL without memory, and past
 * the number that a board can hold: a host that renames its records must not make us grow. */
static struct scoreboard_task *find_task(struct scoreboard_task **tasks, size_t *count,
                                         const char *name)
{
    struct scoreboard_task *grown;

    for (size_t i = 0; i < *count; i++)
        if (strcmp((*tasks)[i].name, name) == 0)
            return &(*tasks)[i];
    if (*count >= SCOREBOARD_TASKS)
        return NULL;
    grown = array_grow(*tasks, *count, sizeof(*grown));
    if (!grown)
        return NULL;
    *tasks = grown;
    grown[*count] = (struct scoreboard_task){0};
    string_copy(grown[*count].name, sizeof(grown->name), name);
    return &grown[(*count)++];
}

static struct scoreboard_pool *find_pool(struct scoreboard_pool **pools, size_t *count,
                                         const char *name)
{
    struct scoreboard_pool *grown;

    for (size_t i = 0; i < *count; i++)
        if (strcmp((*pools)[i].name, name) == 0)
            return &(*pools)[i];
    if (*count >= SCOREBOARD_POOLS)
        return NULL;
    grown = array_grow(*pools, *count, sizeof(*grown));
    if (!grown)
        return NULL;
    *pools = grown;
    grown[*count] = (struct scoreboard_pool){0};
    string_copy(grown[*count].name, sizeof(grown->name), name);
    return &grown[(*count)++];
}

static void add_count(uint64_t *total, uint64_t count)
{
    *total = MIN(*total + count, SCOREBOARD_COUNT_MAX);
}

/* A new incarnation may not know of the failures of those before it. */
static uint32_t add_failures_in_row(const struct scoreboard_task *sum,
                                    const struct scoreboard_task *task)
{
    uint64_t in_row = MIN(task->failures, UINT32_MAX) + sum->failures_in_row;

    if (task->succeeded_at != 0)
        return task->failures_in_row;
    return MAX(task->failures_in_row, (uint32_t)MIN(in_row, UINT32_MAX));
}

/* The first of its name: there is nothing to add to. */
static void set_task(struct scoreboard_task *sum, const struct scoreboard_task *task)
{
    static const struct scoreboard_task none;

    *sum = *task;
    sum->failures_in_row = add_failures_in_row(&none, task);
}

/* Levels are the newer record's, counters are added up. */
static void add_task(struct scoreboard_task *sum, const struct scoreboard_task *task)
{
    struct scoreboard_task total = *task;

    add_count(&total.runs, sum->runs);
    add_count(&total.failures, sum->failures);
    add_count(&total.timeouts, sum->timeouts);
    add_count(&total.cancels, sum->cancels);
    add_count(&total.skipped, sum->skipped);
    histogram_add(&total.run_duration, &sum->run_duration);
    histogram_add(&total.lateness, &sum->lateness);
    total.worst_lateness = MAX(total.worst_lateness, sum->worst_lateness);
    total.worst_cancel = MAX(total.worst_cancel, sum->worst_cancel);
    /* A new incarnation that has not run yet has nothing newer to say. */
    if (task->ended_at == 0 && sum->ended_at != 0) {
        total.ended_at = sum->ended_at;
        total.last_code = sum->last_code;
        total.last_duration = sum->last_duration;
        memcpy(total.last_text, sum->last_text, sizeof(total.last_text));
    }
    total.failures_in_row = add_failures_in_row(sum, task);
    if (task->started_realtime == 0)
        total.started_realtime = sum->started_realtime;
    if (task->succeeded_at == 0)
        total.succeeded_at = sum->succeeded_at;
    *sum = total;
}

static void add_pool(struct scoreboard_pool *sum, const struct scoreboard_pool *pool)
{
    struct scoreboard_pool total = *pool;

    add_count(&total.accepted, sum->accepted);
    add_count(&total.finished, sum->finished);
    add_count(&total.failed, sum->failed);
    add_count(&total.lost, sum->lost);
    add_count(&total.rejected, sum->rejected);
    add_count(&total.retried, sum->retried);
    histogram_add(&total.job_duration, &sum->job_duration);
    histogram_add(&total.job_wait, &sum->job_wait);
    if (pool->last_failure_at == 0 && sum->last_failure_at != 0) {
        total.last_failure_at = sum->last_failure_at;
        total.last_code = sum->last_code;
        memcpy(total.last_text, sum->last_text, sizeof(total.last_text));
    }
    if (pool->succeeded_at == 0)
        total.succeeded_at = sum->succeeded_at;
    *sum = total;
}

/* Dead hosts -------------------------------------------------------------- */

/* The error of a lost run or job begins with this; upgrades keep it. */
#define LOST "lost with its host: "

static void tell_lost(char text[SCOREBOARD_TEXT_SIZE], const char *how)
{
    snprintf(text, SCOREBOARD_TEXT_SIZE, LOST "%s", how);
    text_clean_lines(text, SCOREBOARD_TEXT_SIZE);
}

bool counters_has_lost(const struct scoreboard_task *task)
{
    return task->last_code == -EPIPE && strncmp(task->last_text, LOST, strlen(LOST)) == 0;
}

/* A run whose process died under it has failed, and took until now; who had asked for it is told
 * the same code. */
static void end_lost_run(struct scoreboard_task *task, const char *how)
{
    int64_t now = clock_monotonic();

    if (!scoreboard_task_is_running(task))
        return;
    task->runs++;
    task->failures++;
    task->failures_in_row += task->failures_in_row < UINT32_MAX;
    task->ended_at = now;
    task->last_code = -EPIPE;
    tell_lost(task->last_text, how);
    task->last_duration = MAX(now - task->started_at, INT64_C(0));
    histogram_observe(&task->run_duration, task->last_duration);
}

/* The jobs that it has taken and not ended, and no more than it can hold: a host may write
 * anything. Returns how many. */
static uint64_t end_lost_jobs(struct scoreboard_pool *pool, const char *how)
{
    uint64_t ended = pool->finished + pool->failed + pool->lost, lost;

    if (ended >= pool->accepted)
        return 0;
    lost = MIN(pool->accepted - ended, (uint64_t)pool->capacity + pool->workers);
    pool->accepted = ended + lost;
    pool->lost += lost;
    pool->last_code = -EPIPE;
    pool->last_failure_at = clock_monotonic();
    tell_lost(pool->last_text, how);
    return lost;
}

static void close_tasks(struct counters *counters, const struct scoreboard *board, uint32_t slot,
                        const char *how)
{
    for (unsigned i = 0; scoreboard_next_task(board, slot, &i); i++) {
        struct scoreboard_task task, *sum;

        /* Torn for ever: what was seen has to do. */
        scoreboard_read_task(board, i, &task);
        if (!task.head.used)
            break;
        if (task.module != slot)
            continue;
        clean_task(&task);
        end_lost_run(&task, how);
        task.state = SCOREBOARD_TASK_STOPPED;
        task.next_due = task.busy_until = 0;
        sum = find_task(&counters->tasks, &counters->task_count, task.name);
        if (sum)
            add_task(sum, &task);
    }
}

static uint64_t close_pools(struct counters *counters, const struct scoreboard *board,
                            uint32_t slot, const char *how)
{
    uint64_t all_lost = 0;

    for (unsigned i = 0; scoreboard_next_pool(board, slot, &i); i++) {
        struct scoreboard_pool pool, *sum;

        scoreboard_read_pool(board, i, &pool);
        if (!pool.head.used)
            break;
        if (pool.module != slot)
            continue;
        clean_pool(&pool);
        all_lost += end_lost_jobs(&pool, how);
        pool.queued = pool.active = 0;
        sum = find_pool(&counters->pools, &counters->pool_count, pool.name);
        if (sum)
            add_pool(sum, &pool);
    }
    return all_lost;
}

static void forget_seen(struct counters *counters)
{
    free(counters->seen_tasks);
    free(counters->seen_pools);
    counters->seen_tasks = NULL;
    counters->seen_pools = NULL;
    counters->seen_task_count = counters->seen_pool_count = 0;
}

/* A host's own number, whatever it says: wrong ones spoil the counts of its own module only. */
static uint32_t read_books(const struct scoreboard *board, uint32_t slot)
{
    return slot < SCOREBOARD_MODULES ? scoreboard_read_books(board, slot) : 0;
}

void counters_new_host(struct counters *counters)
{
    counters->closed_books = 0;
}

void counters_absorb(struct counters *counters, const struct counters *other)
{
    for (size_t i = 0; i < other->task_count; i++) {
        struct scoreboard_task *sum =
            find_task(&counters->tasks, &counters->task_count, other->tasks[i].name);

        if (sum)
            add_task(sum, &other->tasks[i]);
    }
    for (size_t i = 0; i < other->pool_count; i++) {
        struct scoreboard_pool *sum =
            find_pool(&counters->pools, &counters->pool_count, other->pools[i].name);

        if (sum)
            add_pool(sum, &other->pools[i]);
    }
}

uint64_t counters_close(struct counters *counters, const struct scoreboard *board, uint32_t slot,
                        const char *how)
{
    uint32_t books = read_books(board, slot);

    forget_seen(counters);
    if (books == counters->closed_books)
        return 0;
    counters->closed_books = books;
    close_tasks(counters, board, slot, how);
    return close_pools(counters, board, slot, how);
}

/* Living hosts ------------------------------------------------------------ */

/* A record that has not been written since it was seen is not copied and cleaned again. `module` of
 * a seen one is its place on the board, and the next is looked for behind the one before. */
static void add_living_tasks(struct counters *counters, const struct scoreboard *board,
                             uint32_t slot, struct counters *copy)
{
    size_t next = 0, before;

    for (unsigned i = 0; scoreboard_next_task(board, slot, &i); i++) {
        struct scoreboard_task task, *sum;
        struct scoreboard_task *seen =
            next < counters->seen_task_count ? &counters->seen_tasks[next] : NULL;

        if (!seen || seen->module != i || !scoreboard_is_same(&board->tasks[i], seen)) {
            bool whole = scoreboard_read_task(board, i, &task);

            if (!task.head.used)
                break;
            if (task.module != slot)
                continue;
            clean_task(&task);
            task.module = i;
            seen = find_task(&counters->seen_tasks, &counters->seen_task_count, task.name);
            if (whole && seen)
                *seen = task;
            else if (!whole && (!seen || !seen->head.used))
                task.next_due = task.busy_until = 0;
        }
        next = seen ? (size_t)(seen - counters->seen_tasks) + 1 : next;
        before = copy->task_count;
        seen = seen && seen->head.used ? seen : &task;
        sum = find_task(&copy->tasks, &copy->task_count, seen->name);
        if (sum && copy->task_count > before)
            set_task(sum, seen);
        else if (sum)
            add_task(sum, seen);
    }
}

static void add_living_pools(struct counters *counters, const struct scoreboard *board,
                             uint32_t slot, struct counters *copy)
{
    size_t next = 0;

    for (unsigned i = 0; scoreboard_next_pool(board, slot, &i); i++) {
        struct scoreboard_pool pool, *sum;
        struct scoreboard_pool *seen =
            next < counters->seen_pool_count ? &counters->seen_pools[next] : NULL;

        if (!seen || seen->module != i || !scoreboard_is_same(&board->pools[i], seen)) {
            bool whole = scoreboard_read_pool(board, i, &pool);

            if (!pool.head.used)
                break;
            if (pool.module != slot)
                continue;
            clean_pool(&pool);
            pool.module = i;
            seen = find_pool(&counters->seen_pools, &counters->seen_pool_count, pool.name);
            if (whole && seen)
                *seen = pool;
        }
        next = seen ? (size_t)(seen - counters->seen_pools) + 1 : next;
        seen = seen && seen->head.used ? seen : &pool;
        sum = find_pool(&copy->pools, &copy->pool_count, seen->name);
        if (sum)
            add_pool(sum, seen);
    }
}

int counters_copy(struct counters *counters, const struct scoreboard *board, uint32_t slot,
                  struct counters *ret_copy)
{
    struct counters copy = {0};

    if (counters->task_count > 0) {
        copy.tasks = calloc(array_capacity(counters->task_count), sizeof(*copy.tasks));
        if (!copy.tasks)
            return -ENOMEM;
        memcpy(copy.tasks, counters->tasks, counters->task_count * sizeof(*copy.tasks));
        copy.task_count = counters->task_count;
    }
    if (counters->pool_count > 0) {
        copy.pools = calloc(array_capacity(counters->pool_count), sizeof(*copy.pools));
        if (!copy.pools) {
            counters_free(&copy);
            return -ENOMEM;
        }
        memcpy(copy.pools, counters->pools, counters->pool_count * sizeof(*copy.pools));
        copy.pool_count = counters->pool_count;
    }
    if (board && read_books(board, slot) != counters->closed_books) {
        add_living_tasks(counters, board, slot, &copy);
        add_living_pools(counters, board, slot, &copy);
    }
    *ret_copy = copy;
    return 0;
}

void counters_free(struct counters *counters)
{
    free(counters->tasks);
    free(counters->pools);
    forget_seen(counters);
    *counters = (struct counters){0};
}
