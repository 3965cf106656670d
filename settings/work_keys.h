/* SPDX-License-Identifier: MIT */
/* The keys that every task and pool of a module has, TASK.every, POOL.workers and so on, and what
 * they are bound to. */
#ifndef REEVE_SETTINGS_WORK_KEYS_H
#define REEVE_SETTINGS_WORK_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct calendar;

#define SCHEDULE_CALENDARS_MAX 16

/* catch-up: whether a run that fell due while nothing ran is made up for at the start. */
enum schedule_catch_up {
    SCHEDULE_CATCH_UP_BY_KIND, /* as nobody said: intervals do, the wall clock does not */
    SCHEDULE_CATCH_UP_NO,
    SCHEDULE_CATCH_UP_YES,
};

/* Durations are in nanoseconds. */
struct schedule_rule {
    int64_t every; /* 0: not by interval */
    struct calendar *at[SCHEDULE_CALENDARS_MAX];
    unsigned at_count;
    bool align; /* `every` counts from the epoch, in UTC */
    int64_t offset;
    int64_t jitter;
    enum schedule_catch_up catch_up;
    int64_t backoff; /* after a failure: no run for so long, doubled with each further one */
    int64_t backoff_max;
};

enum task_overlap { TASK_OVERLAP_SKIP, TASK_OVERLAP_QUEUE };
enum task_on_error { TASK_ON_ERROR_CONTINUE, TASK_ON_ERROR_RESTART, TASK_ON_ERROR_STOP };
enum task_on_stop { TASK_ON_STOP_CANCEL, TASK_ON_STOP_FINISH };

struct task_settings {
    struct schedule_rule schedule;
    int64_t timeout; /* 0: none */
    int64_t grace;   /* between a cancel and being called hung */
    enum task_overlap overlap;
    enum task_on_error on_error;
    enum task_on_stop on_stop;
};

struct pool_settings {
    int64_t workers; /* 0: as many as there are processors */
    int64_t queue;
    int64_t retries;
    int64_t timeout; /* 0: none */
    int64_t backoff;
    int64_t backoff_max;
    int64_t grace; /* as of a task */
};

/* Keys are without the name of the task or pool. */
extern const struct setting task_keys[];
extern const struct setting pool_keys[];

/* Frees what a rule owns, and leaves it without points of the wall clock. */
void schedule_rule_drop_calendars(struct schedule_rule *rule);

#endif
