/* SPDX-License-Identifier: MIT */
/* How far the schedules of a module's tasks had come: in earlier lives, as the supervisor remembers
 * it, and before a reload. */
#ifndef REEVE_HOST_SCHEDULE_LAST_RUNS_H
#define REEVE_HOST_SCHEDULE_LAST_RUNS_H

#include <stddef.h>

#include "host/schedule/schedule.h"

struct last_run {
    char *task;
    struct schedule_past past;
};

struct last_runs {
    struct last_run *items;
    size_t count;
};

/* Copies; takes the place of what was known of the task. Returns 0 or -ENOMEM. */
int last_runs_set(struct last_runs *runs, const char *task, const struct schedule_past *past);
/* All 0 when the task is not known. */
struct schedule_past last_runs_find(const struct last_runs *runs, const char *task);
void last_runs_free(struct last_runs *runs);

#endif
