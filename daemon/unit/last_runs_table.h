/* SPDX-License-Identifier: MIT */
/*
 * How far the schedule of each task has come, in memory.
 *
 * An interval counts on the monotonic clock, so its points are kept on that and become real times
 * only when they are asked for: a time of day that was wrong, and was set since, moves nothing.
 */
#ifndef REEVE_DAEMON_UNIT_LAST_RUNS_TABLE_H
#define REEVE_DAEMON_UNIT_LAST_RUNS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The knowledge of a task; real times. */
struct last_runs_known {
    int64_t settled; /* every point of its schedule until then was run or skipped */
    /* Only in the life of the daemon in which they were seen; else 0. */
    int64_t open;         /* the first point after it */
    int64_t passed_until; /* points until then were skipped as they came */
    bool stopped;         /* as the task was stopped for an error */
    bool set_back;        /* the clock has been, since this was seen */
    uint32_t failures;    /* in a row */
};

struct last_runs_entry {
    struct last_runs_entry *next; /* in its bucket */
    char *module;
    char *task;
    bool kept;
    bool by_interval;
    /* Points before the first open one are settled; by interval on the monotonic clock, else real
     * times. */
    int64_t settled;
    int64_t open;         /* 0: not known */
    int64_t passed_until; /* as in last_runs_known, as the next two */
    bool stopped;
    bool set_back; /* the clock has been, and `settled` is a time of before that */
    uint32_t failures;
    int64_t seen_at; /* real time; 0: in another life */
    uint64_t noted;  /* counts the changes of all, to know the oldest */
};

/* All tasks of a module are in one bucket. */
#define LAST_RUNS_BUCKETS 256

/* Zeroed it is empty. */
struct last_runs_table {
    struct last_runs_entry **entries;
    struct last_runs_entry *buckets[LAST_RUNS_BUCKETS];
    size_t count;
    uint64_t notes; /* so far */
};

/* Takes in what was seen of a task, whose name it copies. Returns whether anything that is to be
 * kept has changed. */
bool last_runs_table_note(struct last_runs_table *table, const char *module,
                          const struct last_runs_entry *seen);

/* The module's next entry after this one, or its first after NULL; NULL at the end. */
struct last_runs_entry *last_runs_table_next(const struct last_runs_table *table,
                                             const char *module,
                                             const struct last_runs_entry *entry);

/* In real times, which are no earlier than the epoch. */
struct last_runs_known last_runs_entry_known(const struct last_runs_entry *entry);

/* The oldest change first: reading the lines again in their order tells which is the older. */
void last_runs_table_sort(struct last_runs_table *table);

/* Modules that are not configured may come back, but not all that ever were: of the tasks of those
 * which do not stay, the youngest so many remain. Returns whether any was forgotten. */
#define LAST_RUNS_STRANGERS_MAX 1000
bool last_runs_table_forget(struct last_runs_table *table,
                            bool (*stays)(const char *module, void *arg), void *arg);

void last_runs_table_clear(struct last_runs_table *table);

#endif
