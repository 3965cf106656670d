/* SPDX-License-Identifier: MIT */
#include "host/report/board.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "host/process/forked.h"

static struct scoreboard *board;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects who has which record */

static __thread struct board_activity activity = {.slot = UINT32_MAX};
static __thread struct scoreboard_thread *thread_record;
static pthread_key_t thread_key;

static void release_thread(void *record)
{
    struct scoreboard_thread *mine = record;

    if (forked_is())
        return;
    pthread_mutex_lock(&lock);
    scoreboard_write_begin(mine);
    mine->tid = 0;
    mine->since = 0;
    scoreboard_write_end(mine);
    pthread_mutex_unlock(&lock);
}

int board_open(int fd)
{
    if (pthread_key_create(&thread_key, release_thread) != 0)
        return -EAGAIN;
    if (fd >= 0)
        return scoreboard_map(fd, &board);
    board = calloc(1, sizeof(*board));
    return board ? 0 : -ENOMEM;
}

struct scoreboard_module *board_module(uint32_t slot, const char *name)
{
    struct scoreboard_module *record = &board->modules[slot];

    scoreboard_write_begin(record);
    record->head.used = 1;
    string_copy(record->name, sizeof(record->name), name);
    scoreboard_write_end(record);
    return record;
}

/* Tasks and pools: what their records have in common. */
struct kind {
    size_t size;
    unsigned count;
    size_t module, name; /* where these are */
};

static const struct kind tasks = {
    .size = sizeof(struct scoreboard_task),
    .count = SCOREBOARD_TASKS,
    .module = offsetof(struct scoreboard_task, module),
    .name = offsetof(struct scoreboard_task, name),
};
static const struct kind pools = {
    .size = sizeof(struct scoreboard_pool),
    .count = SCOREBOARD_POOLS,
    .module = offsetof(struct scoreboard_pool, module),
    .name = offsetof(struct scoreboard_pool, name),
};

/* The record that the slot has under that name, or the first that nobody has had; NULL: there is
 * none left. */
static void *take_record(void *records, const struct kind *kind, uint32_t slot, const char *name)
{
    void *found = NULL;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < kind->count && !found; i++) {
        char *record = (char *)records + i * kind->size;
        const struct scoreboard_head *head = (const void *)record;

        if (!head->used || (*(uint32_t *)(void *)(record + kind->module) == slot &&
                            strcmp(record + kind->name, name) == 0))
            found = record;
    }
    if (found) {
        scoreboard_write_begin(found);
        *(uint32_t *)(void *)((char *)found + kind->module) = slot;
        string_copy((char *)found + kind->name, SCOREBOARD_NAME_SIZE, name);
        ((struct scoreboard_head *)found)->used = 1;
        scoreboard_write_end(found);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

struct scoreboard_task *board_task(uint32_t slot, const char *name)
{
    return take_record(board->tasks, &tasks, slot, name);
}

struct scoreboard_pool *board_pool(uint32_t slot, const char *name)
{
    return take_record(board->pools, &pools, slot, name);
}

int board_refuse(const char *kind, const char *name, int most)
{
    return rv_fail_text(
        -ENOSPC,
        "no room for %s %s: its process has had %d already, which is the most; give "
        "the module a host of its own",
        kind, name, most);
}

void board_begin_books(uint32_t slot)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < SCOREBOARD_TASKS && board->tasks[i].head.used; i++) {
        struct scoreboard_task *task = &board->tasks[i], fresh = {.module = slot, .run = task->run};

        if (task->module != slot)
            continue;
        scoreboard_write_begin(task);
        fresh.head = task->head;
        memcpy(fresh.name, task->name, sizeof(fresh.name));
        *task = fresh;
        scoreboard_write_end(task);
    }
    for (unsigned i = 0; i < SCOREBOARD_POOLS && board->pools[i].head.used; i++) {
        struct scoreboard_pool *pool = &board->pools[i], fresh = {.module = slot};

        if (pool->module != slot)
            continue;
        scoreboard_write_begin(pool);
        fresh.head = pool->head;
        memcpy(fresh.name, pool->name, sizeof(fresh.name));
        *pool = fresh;
        scoreboard_write_end(pool);
    }
    /* Last: until then the old numbers are known to be counted, and zeros need no counting. */
    scoreboard_write_begin(&board->modules[slot]);
    board->modules[slot].books++;
    scoreboard_write_end(&board->modules[slot]);
    pthread_mutex_unlock(&lock);
}

_Atomic int64_t *board_moved(uint32_t slot)
{
    return &board->moved[slot < SCOREBOARD_MODULES ? slot : SCOREBOARD_MODULES - 1];
}

struct scoreboard_stack *board_crash(void)
{
    return board ? &board->crash : NULL;
}

struct scoreboard_stack *board_hang(void)
{
    return &board->hang;
}

struct scoreboard_object *board_object(unsigned i)
{
    return &board->objects[i];
}

/* A record of its own for as long as the thread lives; none when there are more threads than
 * records. */
static void take_thread_record(void)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < SCOREBOARD_THREADS && !thread_record; i++)
        if (board->threads[i].tid == 0) {
            thread_record = &board->threads[i];
            thread_record->tid = gettid();
        }
    pthread_mutex_unlock(&lock);
    if (thread_record)
        pthread_setspecific(thread_key, thread_record);
}

void board_enter(uint32_t slot, const char *what, uint64_t run, rv_time busy_until)
{
    activity = (struct board_activity){slot, what, run};
    if (!thread_record)
        take_thread_record();
    if (!thread_record)
        return;
    scoreboard_write_begin(thread_record);
    thread_record->head.used = 1;
    thread_record->module = slot;
    thread_record->run = run;
    thread_record->since = rv_now();
    thread_record->busy_until = busy_until;
    string_copy(thread_record->what, sizeof(thread_record->what), what);
    scoreboard_write_end(thread_record);
}

void board_leave(void)
{
    activity = (struct board_activity){.slot = UINT32_MAX};
    if (!thread_record)
        return;
    scoreboard_write_begin(thread_record);
    thread_record->since = thread_record->busy_until = 0;
    scoreboard_write_end(thread_record);
}

pid_t board_longest_call(uint32_t slot, char *what, uint64_t *ret_run)
{
    struct scoreboard_thread longest = {0}, thread;

    for (unsigned i = 0; i < SCOREBOARD_THREADS; i++)
        if (scoreboard_read_thread(board, i, &thread) && thread.head.used && thread.tid > 0 &&
            thread.since > 0 && thread.module == slot &&
            (longest.since == 0 || thread.since < longest.since))
            longest = thread;
    memcpy(what, longest.what, sizeof(longest.what));
    *ret_run = longest.run;
    return longest.tid;
}

const struct board_activity *board_activity(void)
{
    return &activity;
}
