/* SPDX-License-Identifier: MIT */
/*
 * A call into the module, of a task, a job or health(). Its context may be cancelled: one that has
 * not returned within its grace then has its stack noted, and the supervisor is told, which ends
 * the host.
 */
#ifndef REEVE_HOST_MODULE_CALL_H
#define REEVE_HOST_MODULE_CALL_H

#include <reeve/context.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/process/alarm.h"

struct call {
    /* Filled in by the caller, and valid until call_end(). */
    struct rv_context *ctx;
    uint32_t slot;
    const char *name; /* of the task or pool */
    uint64_t number;  /* of the run or job */
    rv_duration grace;
    void (*cancelled)(void *arg); /* called once ctx is cancelled before the end; may be NULL */
    void (*progress)(void *arg,
                     const char *text); /* rv_progress() within it; NULL: nobody hears of it */
    void *arg;
    /* Its own. */
    struct alarm alarm;
    _Atomic bool returned;
    pid_t tid;
};

/* Before the call, on its thread, whose record it fills in; the error text is cleared. Takes
 * neither memory nor a thread. */
void call_begin(struct call *call);

/* After it, on the same thread; waits for `cancelled` and for a report under way. */
void call_end(struct call *call);

/* rv_progress(), of the call that this thread is in; nothing outside of one. */
void call_progress(const char *text);

#endif
