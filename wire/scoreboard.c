/* SPDX-License-Identifier: MIT */
#include "wire/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "wire/message.h"

/* The layout is a contract between two programs: a change must raise scoreboard_version. */
_Static_assert(sizeof(struct scoreboard_head) == 8, "layout of version 1");
_Static_assert(offsetof(struct scoreboard, crash) == 16, "layout of version 1");

/* How often a reader tries before it calls a record torn. A writer is inside for well under a
 * microsecond, so that more attempts only help against one that was descheduled inside. */
#define READ_ATTEMPTS 8

int scoreboard_create(const char *name, int *ret_fd, const struct scoreboard **ret_board)
{
    cleanup_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct {
        uint32_t magic;
        uint32_t version;
    } header = {SCOREBOARD_MAGIC, scoreboard_version};
    void *board;

    /* None of these waits for anything, so that a signal cannot interrupt one for good. */
    if (fd < 0 || TEMP_FAILURE_RETRY(ftruncate(fd, sizeof(struct scoreboard))) < 0 ||
        TEMP_FAILURE_RETRY(pwrite(fd, &header, sizeof(header), 0)) < 0)
        return -errno;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    board = mmap(NULL, sizeof(struct scoreboard), PROT_READ, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED)
        return -errno;
    *ret_board = board;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int scoreboard_attach(int fd, const struct scoreboard **ret_board)
{
    struct stat status;
    void *board;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size != (off_t)sizeof(struct scoreboard))
        return -EPROTO;
    board = mmap(NULL, sizeof(struct scoreboard), PROT_READ, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED)
        return -errno;
    if (!scoreboard_is_intact(board)) {
        munmap(board, sizeof(struct scoreboard));
        return -EPROTO;
    }
    *ret_board = board;
    return 0;
}

void scoreboard_unmap(const struct scoreboard *board)
{
    if (board)
        munmap((void *)(uintptr_t)board, sizeof(*board));
}

int scoreboard_map(int fd, struct scoreboard **ret_board)
{
    struct stat status;
    struct scoreboard *board;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size != (off_t)sizeof(*board))
        return -EPROTO;
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED)
        return -errno;
    if (!scoreboard_is_intact(board)) {
        munmap(board, sizeof(*board));
        return -EPROTO;
    }
    board->pid = getpid();
    *ret_board = board;
    return 0;
}

static _Atomic uint32_t *sequence_of(const void *record)
{
    return (_Atomic uint32_t *)(uintptr_t)record;
}

bool scoreboard_is_same(const void *record, const void *copy)
{
    const struct scoreboard_head *head = copy;

    return head->used && head->sequence % 2 == 0 &&
           atomic_load_explicit(sequence_of(record), memory_order_acquire) == head->sequence;
}

struct scoreboard_head scoreboard_read_head(const void *record)
{
    const volatile struct scoreboard_head *head = record;

    return (struct scoreboard_head){
        .sequence = atomic_load_explicit(sequence_of(record), memory_order_acquire),
        .used = head->used,
    };
}

bool scoreboard_is_intact(const struct scoreboard *board)
{
    return board->magic == SCOREBOARD_MAGIC && board->version == scoreboard_version;
}

void scoreboard_write_begin(void *record)
{
    _Atomic uint32_t *sequence = sequence_of(record);

    atomic_store_explicit(sequence, atomic_load_explicit(sequence, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    /* The odd value must be seen before any of the writes that follow. */
    atomic_thread_fence(memory_order_release);
}

void scoreboard_write_end(void *record)
{
    _Atomic uint32_t *sequence = sequence_of(record);

    atomic_store_explicit(sequence, atomic_load_explicit(sequence, memory_order_relaxed) + 1,
                          memory_order_release);
}

bool scoreboard_read(const void *record, void *copy, size_t size)
{
    _Atomic uint32_t *sequence = sequence_of(record);

    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        uint32_t before = atomic_load_explicit(sequence, memory_order_acquire);

        /* Another process may write meanwhile: the copy counts only if the counter stood still. */
        memcpy(copy, record, size);
        atomic_thread_fence(memory_order_acquire);
        if (before % 2 == 0 && atomic_load_explicit(sequence, memory_order_relaxed) == before)
            return true;
    }
    return false;
}

/* A host may write anything: a time that no clock of ours shows would overflow in every sum. */
static void bound(int64_t *time)
{
    *time = MAX(MIN(*time, SCOREBOARD_TIME_MAX), INT64_C(0));
}

static void bound_realtime(int64_t *time)
{
    *time = MAX(MIN(*time, SCOREBOARD_REALTIME_MAX), INT64_C(0));
}

/* A host may write anything: what no counter reaches would wrap in every sum. */
static void bound_counts(void *record, const size_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t *value = (uint64_t *)(void *)((char *)record + offsets[i]);

        *value = MIN(*value, SCOREBOARD_COUNT_MAX);
    }
}

#define TERMINATE(array) ((array)[sizeof(array) - 1] = '\0')

bool scoreboard_read_module(const struct scoreboard *board, unsigned i, struct scoreboard_module *m)
{
    bool whole = scoreboard_read(&board->modules[i], m, sizeof(*m));

    TERMINATE(m->name);
    TERMINATE(m->activity);
    TERMINATE(m->health_text);
    m->health_code = wire_code(m->health_code);
    bound(&m->health_at);
    bound(&m->busy_since);
    bound(&m->busy_until);
    return whole;
}

uint32_t scoreboard_read_books(const struct scoreboard *board, unsigned i)
{
    return *(const volatile uint32_t *)&board->modules[i].books;
}

#define TASK(member) offsetof(struct scoreboard_task, member)

static const size_t task_times[] = {
    TASK(interval),     TASK(next_due),     TASK(started_at),    TASK(busy_until),
    TASK(ended_at),     TASK(succeeded_at), TASK(last_duration), TASK(worst_lateness),
    TASK(worst_cancel), TASK(open),
};

static const size_t task_counts[] = {
    TASK(runs), TASK(failures), TASK(timeouts), TASK(cancels), TASK(skipped),
};

#define POOL(member) offsetof(struct scoreboard_pool, member)

static const size_t pool_counts[] = {
    POOL(accepted), POOL(finished), POOL(failed), POOL(lost), POOL(rejected), POOL(retried),
};

/* Records are handed out from the front, so the first unused one is the end; one that is being
 * written may be about to be used, or is damaged, which the reader finds. */
#define NEXT(records, slot, i)                                                                \
    for (; *(i) < ARRAY_SIZE(records); (*(i))++) {                                            \
        uint32_t sequence =                                                                   \
            atomic_load_explicit(sequence_of(&(records)[*(i)]), memory_order_acquire);        \
                                                                                              \
        if (sequence % 2 == 0 && *(const volatile uint32_t *)&(records)[*(i)].head.used == 0) \
            return false;                                                                     \
        if ((slot) == SCOREBOARD_ANY || sequence % 2 != 0 ||                                  \
            *(const volatile uint32_t *)&(records)[*(i)].module == (slot))                    \
            return true;                                                                      \
    }                                                                                         \
    return false

bool scoreboard_next_task(const struct scoreboard *board, uint32_t slot, unsigned *i)
{
    NEXT(board->tasks, slot, i);
}

bool scoreboard_next_pool(const struct scoreboard *board, uint32_t slot, unsigned *i)
{
    NEXT(board->pools, slot, i);
}

bool scoreboard_next_thread(const struct scoreboard *board, uint32_t slot, unsigned *i)
{
    NEXT(board->threads, slot, i);
}

bool scoreboard_read_task(const struct scoreboard *board, unsigned i, struct scoreboard_task *t)
{
    bool whole = scoreboard_read(&board->tasks[i], t, sizeof(*t));

    TERMINATE(t->name);
    TERMINATE(t->last_text);
    TERMINATE(t->progress);
    TERMINATE(t->schedule);
    t->last_code = wire_code(t->last_code);
    for (size_t field = 0; field < ARRAY_SIZE(task_times); field++)
        bound((int64_t *)(void *)((char *)t + task_times[field]));
    bound_counts(t, task_counts, ARRAY_SIZE(task_counts));
    for (size_t point = 0; point < SCOREBOARD_POINTS; point++)
        bound_realtime(&t->points[point]);
    bound_realtime(&t->started_realtime);
    bound_realtime(&t->open_realtime);
    bound_realtime(&t->settled_realtime);
    histogram_limit(&t->run_duration);
    histogram_limit(&t->lateness);
    return whole;
}

bool scoreboard_read_pool(const struct scoreboard *board, unsigned i, struct scoreboard_pool *p)
{
    bool whole = scoreboard_read(&board->pools[i], p, sizeof(*p));

    TERMINATE(p->name);
    TERMINATE(p->last_text);
    TERMINATE(p->progress);
    p->last_code = wire_code(p->last_code);
    bound_counts(p, pool_counts, ARRAY_SIZE(pool_counts));
    bound(&p->last_failure_at);
    bound(&p->succeeded_at);
    bound(&p->oldest_queued_at);
    histogram_limit(&p->job_duration);
    histogram_limit(&p->job_wait);
    return whole;
}

bool scoreboard_read_thread(const struct scoreboard *board, unsigned i, struct scoreboard_thread *t)
{
    bool whole = scoreboard_read(&board->threads[i], t, sizeof(*t));

    TERMINATE(t->what);
    bound(&t->since);
    bound(&t->busy_until);
    return whole;
}

bool scoreboard_read_stack(const struct scoreboard_stack *record, struct scoreboard_stack *stack)
{
    bool whole = scoreboard_read(record, stack, sizeof(*stack));

    TERMINATE(stack->what);
    TERMINATE(stack->state);
    if (stack->frame_count > SCOREBOARD_FRAMES)
        stack->frame_count = SCOREBOARD_FRAMES;
    return whole;
}

int64_t scoreboard_read_moved(const struct scoreboard *board, unsigned i)
{
    int64_t moved =
        i < SCOREBOARD_MODULES ? atomic_load_explicit(&board->moved[i], memory_order_relaxed) : 0;

    bound(&moved);
    return moved;
}

void scoreboard_read_object(const struct scoreboard *board, unsigned i,
                            struct scoreboard_object *object)
{
    *object = (struct scoreboard_object){0};
    if (i >= SCOREBOARD_OBJECTS)
        return;
    memcpy(object, &board->objects[i], sizeof(*object));
    TERMINATE(object->path);
}
