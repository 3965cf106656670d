/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard: shared memory in which a host publishes how things stand.
 *
 * Properties: the supervisor reads without waiting for a host and without a system call, and still
 * reads after the host is dead. Nothing that a host writes can make the supervisor crash, block or
 * read past the mapping.
 *
 * Operation: the supervisor creates, sizes and seals (shrink, grow, seal) a new memfd for every
 * incarnation of a host, and maps it read-only itself. The layout is fixed: a header, then arrays
 * of fixed-size records for modules, tasks, pools and threads, and a stack each of a crash and a
 * hang. Records are handed out from the front; a task or pool that finds no free one shares the
 * last, the overflow record. Each record has a sequence counter that is odd while its one writer is
 * inside. A reader copies the record out, and takes the copy when the counter was even and is
 * unchanged; after a few attempts it reports the record torn: a host that was killed while writing
 * leaves it odd for ever.
 *
 * Safety: one writer a record at a time (the host's own locks see to it; the supervisor never
 * writes). Sizes and counts come from this header's constants, never from the shared memory; in the
 * copy strings are terminated, times and durations lie between 0 and SCOREBOARD_TIME_MAX, real
 * times between 0 and SCOREBOARD_REALTIME_MAX, counters up to SCOREBOARD_COUNT_MAX, and codes are 0
 * or a negative errno.
 *
 * All times are CLOCK_MONOTONIC nanoseconds unless they say realtime; 0 means never or none.
 */
#ifndef REEVE_WIRE_SCOREBOARD_H
#define REEVE_WIRE_SCOREBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/histogram.h"

/* Raised by every change of layout or meaning; a variable, as wire_version is. */
extern const uint32_t scoreboard_version;

#define SCOREBOARD_MODULES 512
#define SCOREBOARD_TASKS   1024
#define SCOREBOARD_POOLS   64
#define SCOREBOARD_THREADS 1024
#define SCOREBOARD_FRAMES  32
#define SCOREBOARD_OBJECTS 128
#define SCOREBOARD_POINTS  5

/* Any two of these, and a little, may be added or subtracted. */
#define SCOREBOARD_TIME_MAX WIRE_TIME_MAX

/* Real times may be later, up to the end of 2199, where calendars end, too. */
#define SCOREBOARD_REALTIME_MAX (INT64_C(7258118400) * 1000000000)

/* Any two counters may be added. */
#define SCOREBOARD_COUNT_MAX HISTOGRAM_COUNT_MAX

#define SCOREBOARD_NAME_SIZE     64
#define SCOREBOARD_TEXT_SIZE     512
#define SCOREBOARD_SCHEDULE_SIZE 128
#define SCOREBOARD_PATH_SIZE     256

/* In every record, first. A record is in use once `used` is 1. */
struct scoreboard_head {
    uint32_t sequence;
    uint32_t used;
};

/* enum scoreboard_module.state: what the host itself knows of its module. */
enum {
    SCOREBOARD_MODULE_LOADING = 1,
    SCOREBOARD_MODULE_READY,
    SCOREBOARD_MODULE_STOPPING,
    SCOREBOARD_MODULE_STOPPED,
};

struct scoreboard_module {
    struct scoreboard_head head;
    uint32_t state;
    int32_t health_code; /* what health() returned last: 0 or a negative errno */
    int64_t health_at;   /* when health() returned last; 0: never */
    int64_t busy_since;  /* init, reload, health or fini runs since then; 0: none */
    int64_t busy_until;  /* when that is overdue */
    uint32_t books;      /* how often the counters of its tasks and pools have begun at zero */
    uint32_t reserved;
    char name[SCOREBOARD_NAME_SIZE];
    char activity[SCOREBOARD_NAME_SIZE]; /* "init", "fini", ... while busy */
    char health_text[SCOREBOARD_TEXT_SIZE];
};

enum {
    SCOREBOARD_TASK_WAITING = 1, /* for next_due */
    SCOREBOARD_TASK_RUNNING,
    SCOREBOARD_TASK_CANCELLED, /* still running, its context is cancelled */
    SCOREBOARD_TASK_STOPPED,   /* runs no more: the module stops, or on-error = stop */
};

/* scoreboard_task.passes */
enum {
    SCOREBOARD_PASSES_NONE,
    SCOREBOARD_PASSES_RUNNING, /* they are skipped, as a run is under way */
    SCOREBOARD_PASSES_STOPPED, /* they are nobody's, as the task is stopped for an error */
};

struct scoreboard_task {
    struct scoreboard_head head;
    uint32_t module; /* slot */
    uint32_t state;
    uint64_t run;      /* number of the run that is under way or was the last; the first is 1 */
    uint64_t runs;     /* ended, however they ended */
    uint64_t failures; /* ended with an error of their own */
    uint64_t timeouts; /* cancelled by their timeout (and counted as failures) */
    uint64_t cancels;  /* cancelled by a stop or reload (not counted as failures) */
    uint64_t skipped;  /* points of the schedule without a run: one was under way, or nothing ran */
    int64_t interval;  /* 0: none */
    int64_t next_due;  /* when the next run should start; 0: none is planned */
    int64_t started_at;
    int64_t busy_until; /* while it runs: when its timeout and grace are over; 0: no limit */
    int64_t ended_at;
    int64_t succeeded_at;
    int64_t started_realtime; /* of the last run, in nanoseconds since the epoch */
    int64_t last_duration;
    int64_t worst_lateness;   /* start after next_due */
    int64_t worst_cancel;     /* from a cancel to the run's return */
    int32_t last_code;        /* of the last run that ended: 0 or a negative errno */
    uint32_t failures_in_row; /* since the last success */
    uint32_t kept;            /* how far it has come is worth keeping while the daemon is down */
    uint32_t passes;          /* what becomes of points that come now */
    /* The schedule's first open point, jitter left out: neither was its run begun nor was it
     * skipped. Of an interval it is in `open`, which may be past; else it is a real time, the last
     * there is for none. */
    int64_t open;
    int64_t open_realtime;
    /* Where the clock has been set back: until when all points are settled by the time that was
     * right then, or will be. Else 0: they are until the first open one. */
    int64_t settled_realtime;
    /* The next points of a schedule by the wall clock, jitter left out; real times, 0: no more. */
    int64_t points[SCOREBOARD_POINTS];
    char schedule[SCOREBOARD_SCHEDULE_SIZE]; /* "every 30s"; "": on request only */
    char name[SCOREBOARD_NAME_SIZE];
    char last_text[SCOREBOARD_TEXT_SIZE]; /* the last run's error text, "" after a success */
    char progress[SCOREBOARD_TEXT_SIZE];  /* what the task last said of itself */
    struct histogram run_duration;        /* of runs that ended: as many as runs */
    struct histogram lateness;            /* of planned starts, after next_due */
};

/* A run is under way. */
static inline bool scoreboard_task_is_running(const struct scoreboard_task *task)
{
    return task->state == SCOREBOARD_TASK_RUNNING || task->state == SCOREBOARD_TASK_CANCELLED;
}

/* That run has taken longer than its interval, as one that goes on for as long as its module does.
 */
static inline bool scoreboard_task_has_overrun(const struct scoreboard_task *task, int64_t now)
{
    return scoreboard_task_is_running(task) && task->interval > 0 &&
           now - task->started_at > task->interval;
}

struct scoreboard_pool {
    struct scoreboard_head head;
    uint32_t module;
    uint32_t workers;
    uint32_t capacity; /* of the queue */
    uint32_t queued;
    uint32_t active;
    int32_t last_code;
    uint64_t accepted; /* = finished + failed + lost + queued + active */
    uint64_t finished;
    uint64_t failed;
    uint64_t lost;
    uint64_t rejected; /* submits refused: full, stopping, too large */
    uint64_t retried;
    int64_t last_failure_at;
    int64_t succeeded_at; /* when a job last did */
    int64_t oldest_queued_at;
    char name[SCOREBOARD_NAME_SIZE];
    char last_text[SCOREBOARD_TEXT_SIZE]; /* of the last job that failed */
    char progress[SCOREBOARD_TEXT_SIZE];  /* what a job last said of itself */
    struct histogram job_duration;        /* of last attempts: as many as finished + failed */
    struct histogram job_wait;            /* from the submit to the first attempt */
};

/* A worker thread; what it runs. */
struct scoreboard_thread {
    struct scoreboard_head head;
    uint32_t module;
    int32_t tid;
    uint64_t run;
    int64_t since;                   /* when it began what it runs; 0: idle */
    int64_t busy_until;              /* when its timeout and grace are over; 0: no limit */
    char what[SCOREBOARD_NAME_SIZE]; /* task or pool */
};

/* A loaded file, for the frames of stacks. */
struct scoreboard_object {
    char path[SCOREBOARD_PATH_SIZE];
};

struct scoreboard_frame {
    uint64_t offset; /* from the object's load address; the address itself without an object */
    uint32_t object; /* index, or UINT32_MAX */
    uint32_t reserved;
};

/* The stack of a thread that crashed or hangs; written by its signal handler, once. */
struct scoreboard_stack {
    struct scoreboard_head head;
    int32_t signal; /* that it crashed by; 0 for one that hangs */
    int32_t code;   /* si_code; at most 0 if the signal was sent */
    uint64_t
        address; /* of the fault; of one that was sent, the sender: uid << 32 | pid, 0 for itself */
    uint64_t instruction;
    uint32_t module; /* slot, or UINT32_MAX when the thread ran no module's function */
    int32_t tid;
    uint64_t run;
    uint32_t frame_count;
    char what[SCOREBOARD_NAME_SIZE];
    char state[SCOREBOARD_NAME_SIZE]; /* what a thread that hangs waits for in the kernel; of a
                                       * crash, the size of the stack that has overflowed, "" if it
                                       * has not */
    struct scoreboard_frame frames[SCOREBOARD_FRAMES];
};

struct scoreboard {
    uint32_t magic;
    uint32_t version;
    int32_t pid; /* the host's, for people who look at the memory */
    uint32_t reserved;
    struct scoreboard_stack crash;
    struct scoreboard_stack hang;
    struct scoreboard_object objects[SCOREBOARD_OBJECTS];
    struct scoreboard_module modules[SCOREBOARD_MODULES];
    struct scoreboard_task tasks[SCOREBOARD_TASKS];
    struct scoreboard_pool pools[SCOREBOARD_POOLS];
    struct scoreboard_thread threads[SCOREBOARD_THREADS];
    /* When something of each module's work last moved: a run or job ended, or told its progress.
     * Written for each, by any thread, and so outside of the records. */
    _Atomic int64_t moved[SCOREBOARD_MODULES];
};

#define SCOREBOARD_MAGIC 0x52565342u

/* The supervisor's side --------------------------------------------------- */

/*
 * Makes a sealed memfd of the right size with its header written, and maps it read-only. The memory
 * costs only the pages that are written. Returns 0 or a negative errno; the caller closes *ret_fd
 * once the host has it, and ends with scoreboard_unmap().
 */
int scoreboard_create(const char *name, int *ret_fd, const struct scoreboard **ret_board);

/* Maps the descriptor of one that scoreboard_create() made, in this process or in the one before
 * it. Returns 0, -EPROTO for another version or size, or a negative errno. */
int scoreboard_attach(int fd, const struct scoreboard **ret_board);

void scoreboard_unmap(const struct scoreboard *board);

/* Whether the header is still as it was made: a host that writes where it should not has ruined the
 * rest too. */
bool scoreboard_is_intact(const struct scoreboard *board);

/*
 * Copies a record out. Returns true and a consistent copy, or false when the record stayed torn;
 * the copy is then whatever was seen, fit for "last seen" texts only. Strings must still be
 * terminated by scoreboard_terminate_*, which the typed readers below do.
 */
bool scoreboard_read(const void *record, void *copy, size_t size);

/* Whether the record, which may be any of the board's, has not been written since a consistent copy
 * was made of it. */
bool scoreboard_is_same(const void *record, const void *copy);

/*
 * Looks for the next record of a module's tasks, pools or threads from *i on, without copying any:
 * records are large, and most are of other modules or unused. slot may be SCOREBOARD_ANY. A record
 * may change before it is read, so its reader looks again at head.used and module. Returns false
 * when there is none.
 */
#define SCOREBOARD_ANY UINT32_MAX
bool scoreboard_next_task(const struct scoreboard *board, uint32_t slot, unsigned *i);
bool scoreboard_next_pool(const struct scoreboard *board, uint32_t slot, unsigned *i);
bool scoreboard_next_thread(const struct scoreboard *board, uint32_t slot, unsigned *i);

/* The beginning of any record, as it is now. */
struct scoreboard_head scoreboard_read_head(const void *record);
bool scoreboard_read_module(const struct scoreboard *board, unsigned i,
                            struct scoreboard_module *m);
/* The module's books alone: one number is never torn. */
uint32_t scoreboard_read_books(const struct scoreboard *board, unsigned i);
bool scoreboard_read_task(const struct scoreboard *board, unsigned i, struct scoreboard_task *t);
bool scoreboard_read_pool(const struct scoreboard *board, unsigned i, struct scoreboard_pool *p);
bool scoreboard_read_thread(const struct scoreboard *board, unsigned i,
                            struct scoreboard_thread *t);
/* Of &board->crash or &board->hang. */
bool scoreboard_read_stack(const struct scoreboard_stack *record, struct scoreboard_stack *stack);
/* When work of the module's last moved; 0: never. */
int64_t scoreboard_read_moved(const struct scoreboard *board, unsigned i);
/* The path of a loaded file; "" for an index past the end. Written before frames that name it. */
void scoreboard_read_object(const struct scoreboard *board, unsigned i,
                            struct scoreboard_object *object);

/* The host's side --------------------------------------------------------- */

/* Maps the inherited descriptor for writing. Returns 0, -EPROTO for another version or size, or a
 * negative errno. */
int scoreboard_map(int fd, struct scoreboard **ret_board);

/*
 * Brackets every change of a record; between the two only its one writer touches it. Both are
 * async-signal-safe and never block.
 */
void scoreboard_write_begin(void *record);
void scoreboard_write_end(void *record);

#endif
