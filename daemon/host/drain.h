/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a module's work to end by itself: as long as something moves, and never longer than its
 * budget. A job or run that ends is a move, and so is rv_progress().
 */
#ifndef REEVE_HOST_DRAIN_H
#define REEVE_HOST_DRAIN_H

#include "daemon/host/module.h"

/* Before another look at work that there was no memory to wait for. */
#define WAIT_RETRY_PAUSE (100 * RV_MILLISECOND)

/* Something of the module's work has moved. Any thread. */
void drain_note_progress(struct host_module *module);

/* Waits for all jobs, and for runs that may finish, while ctx is not done. Returns whether they all
 * ended. */
bool drain_wait(struct rv_context *ctx, struct host_module *module, rv_duration budget,
                rv_duration stall);

#endif
