/* SPDX-License-Identifier: MIT */
/*
 * Jobs for a module's pools: from the supervisor, and from the module itself.
 *
 * Safety: a runner goes only when nobody uses it. The supervisor's jobs are submitted under the
 * module's lock, without blocking. A call from within may block, on any thread that the module has;
 * so it is counted, and the end of the pools waits for it.
 */
#ifndef REEVE_HOST_POOL_SUBMIT_H
#define REEVE_HOST_POOL_SUBMIT_H

#include "host/module/module.h"

/* Somebody outside submits a job: answered by ACCEPTED and RESULT. */
void submit_request(struct host_module *module, const char *pool, uint64_t request,
                    rv_duration timeout, const void *data, size_t size);

/* rv_submit(): ctx leads to the module. Any thread, at any time. */
int submit_own(struct rv_context *ctx, const char *pool, const void *data, size_t size);

/* From here on the pools can be submitted to from within, until submit_close(), which waits for
 * calls that use them: a pool that is full must be cancelled before. */
void submit_open(struct host_module *module);
void submit_close(struct host_module *module);

#endif
