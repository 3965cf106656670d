/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a module's work to end by itself: as long as something moves, and never longer than
 * its budget. A job or run that ends is a move, and so is rv_progress().
 */
#ifndef REEVE_HOST_LIFECYCLE_DRAIN_H
#define REEVE_HOST_LIFECYCLE_DRAIN_H

#include "host/module/module.h"

/* The parts of a drain, from before there is work: once begun it does not fail. Returns 0 or
 * -ENOMEM. */
int drain_prepare(struct host_module *module);
void drain_finish(struct host_module *module);

/* Waits for all jobs, and for runs that may finish, within the budget; once after drain_prepare().
 * Returns whether they all ended. */
bool drain_wait(struct host_module *module, rv_duration budget, rv_duration stall);

/* The same without a limit, while ctx is not done. */
bool drain_wait_for_all(struct rv_context *ctx, struct host_module *module);

#endif
