/* SPDX-License-Identifier: MIT */
/*
 * Watches a call into the module whose context may be cancelled: one that has not returned within its
 * grace then has its stack noted, and the supervisor is told, which ends the host.
 */
#ifndef REEVE_HOST_TASK_OVERDUE_H
#define REEVE_HOST_TASK_OVERDUE_H

#include <reeve/context.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/task/alarm.h"

struct overdue {
    /* Filled in by the caller, and valid until overdue_end(). */
    struct rv_context *ctx;
    uint32_t slot;
    const char *name; /* of the task or pool */
    uint64_t number;  /* of the run or job */
    rv_duration grace;
    void (*cancelled)(void *arg); /* called once ctx is cancelled before the end; may be NULL */
    void *arg;
    /* Its own. */
    struct alarm alarm;
    _Atomic bool returned;
    pid_t tid;
};

/* Before the call, on its thread, whose record it fills in. Takes neither memory nor a thread. */
void overdue_begin(struct overdue *overdue);

/* After it, on the same thread; waits for `cancelled` and for a report under way. */
void overdue_end(struct overdue *overdue);

#endif
