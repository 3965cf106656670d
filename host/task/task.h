/* SPDX-License-Identifier: MIT */
/* Running a task on its schedule and on request, one run at a time. */
#ifndef REEVE_HOST_TASK_TASK_H
#define REEVE_HOST_TASK_TASK_H

#include "host/module/module.h"

/* The schedule begins at once, where it ended by last_runs. definition and settings must outlive
 * the runner. Returns 0 or a negative errno. */
int task_create(struct host_module *module, const struct rv_task *definition,
                const struct task_settings *settings, const struct last_runs *last_runs,
                struct task_runner **ret_runner);

const char *task_name(const struct task_runner *runner);

/* A run now; ACCEPTED and RESULT follow, the latter at once with -EBUSY when a run is under way and
 * overlap = skip. Does not block. */
void task_run(struct task_runner *runner, uint64_t request);

/* The same, of the task of this name, if there is one and the module is ready. */
void task_request(struct host_module *module, const char *task, uint64_t request);

/* The number of the run under way; 0: there is none. With the gate shut, none begins after that but
 * one that was queued before. */
uint64_t task_run_under_way(struct task_runner *runner);

/* Waits while ctx is not done until the run of this number has ended, whatever follows it; 0: until
 * none is under way. Returns whether that is so. */
bool task_wait(struct rv_context *ctx, struct task_runner *runner, uint64_t run);

/* No run of the schedule is to be expected from now on, or until it plans again. */
void task_expect_nothing(struct task_runner *runner);

/* Ends the schedule, waits for the run under way to return, notes for the next runner of the task
 * what its schedule owes, and frees. The contexts were cancelled before. */
void task_destroy(struct task_runner *runner, struct last_runs *last_runs);

#endif
