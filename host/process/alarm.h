/* SPDX-License-Identifier: MIT */
/*
 * Calls for when a context is done, or for a time: on a thread of the host's own, which is made
 * before any module is. Neither memory nor a thread of the runtime is needed, since modules may
 * have used up both.
 */
#ifndef REEVE_HOST_PROCESS_ALARM_H
#define REEVE_HOST_PROCESS_ALARM_H

#include <reeve/context.h>
#include <reeve/host.h>
#include <reeve/runtime.h>

#include "base/list.h"

struct alarm {
    /* Called on the alarms' thread, one at a time. It may take locks that are held for a moment,
     * set this alarm again, and not end it. */
    void (*fn)(struct alarm *alarm);
    /* Its own. */
    struct rv_host_hook hook;
    struct rv_context *ctx; /* NULL: it waits for a time alone */
    struct list list;
    rv_time due;
};

/* Makes the thread, and that of the runtime's timers, unless they are there. After the sandbox,
 * which is each thread's own; not by two at once. Returns 0 or a negative errno. */
int alarm_open(void);

/* Rings once ctx is done, which must outlive the alarm; at once if it is. ctx NULL: not before
 * alarm_set(). */
void alarm_begin(struct alarm *alarm, struct rv_context *ctx);

/* Rings at a time, in place of the one before. */
void alarm_set(struct alarm *alarm, rv_time due);

/* From here on it does not ring; waits for a call of fn that is under way. */
void alarm_end(struct alarm *alarm);

#endif
