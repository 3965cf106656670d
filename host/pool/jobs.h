/* SPDX-License-Identifier: MIT */
/* Running a module's pool: jobs from outside, their bytes copied, their ends reported. */
#ifndef REEVE_HOST_POOL_JOBS_H
#define REEVE_HOST_POOL_JOBS_H

#include "host/module/module.h"

/* definition and settings must outlive the runner. Returns 0 or a negative errno. */
int jobs_create(struct host_module *module, const struct rv_module_pool *definition,
                const struct pool_settings *settings, struct pool_runner **ret_runner);

const char *jobs_name(const struct pool_runner *runner);

/* ACCEPTED and RESULT follow; -EAGAIN when the queue is full. Does not block. */
void jobs_submit(struct pool_runner *runner, uint64_t request, rv_duration timeout,
                 const void *data, size_t size);

/* The same from within the module: blocks while the queue is full. Returns 0, ctx's code, -EPIPE
 * or -ENOMEM. */
int jobs_submit_wait(struct rv_context *ctx, struct pool_runner *runner, const void *data,
                     size_t size);

bool jobs_are_under_way(struct pool_runner *runner);

/* Marks the jobs that were accepted so far, in place of an earlier mark. Others are accepted and
 * run as before. */
void jobs_mark(struct pool_runner *runner);
bool jobs_are_marked(struct pool_runner *runner); /* and have not ended */
/* Waits for their end while ctx is not done, one at a time. Returns whether all have ended. */
bool jobs_wait_marked(struct rv_context *ctx, struct pool_runner *runner);

/* Accepts no more; queued jobs are lost with this cause unless they are to be run. */
void jobs_refuse(struct pool_runner *runner, bool drain_queue, const char *cause);
/* Waits for the jobs that are left while ctx is not done. Returns whether all have ended. */
bool jobs_wait(struct rv_context *ctx, struct pool_runner *runner);
/* Queued jobs are lost; those in flight see the cancel. */
void jobs_cancel(struct pool_runner *runner);
/* Frees, after jobs_cancel(), once jobs_wait() has seen the end of all jobs, so that every end is
 * published. */
void jobs_destroy(struct pool_runner *runner);

#endif
