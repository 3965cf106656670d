/* SPDX-License-Identifier: MIT */
#include "host/module/call.h"

#include <reeve/error.h>
#include <stdio.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/macro.h"
#include "host/crash/hang_stack.h"
#include "host/process/forked.h"
#include "host/report/board.h"
#include "host/report/event.h"

/* The call that this thread is in. */
static _Thread_local struct call *current;

static void tell(const struct call *call)
{
    struct wire_message message = {.type = WIRE_OVERDUE,
                                   .module = call->slot,
                                   .number = call->number,
                                   .duration = call->grace,
                                   .name = call->name};
    struct rv_cause cause;
    char text[400];

    rv_context_cause(call->ctx, &cause);
    snprintf(text, sizeof(text), "cancelled because of: %s", cause.text);
    message.text = text;
    event_send(&message);
}

/* At the end of the grace. */
static void grace_over(struct alarm *alarm)
{
    struct call *call = container_of(alarm, struct call, alarm);
    bool noted = hang_note(call->tid, call->slot, call->name, call->number);

    if (!atomic_load(&call->returned))
        tell(call);
    else if (noted)
        hang_forget();
}

/* Once the context is done. */
static void context_done(struct alarm *alarm)
{
    struct call *call = container_of(alarm, struct call, alarm);

    if (call->cancelled)
        call->cancelled(call->arg);
    alarm->fn = grace_over;
    alarm_set(alarm, duration_add(rv_now(), call->grace));
}

/* When the call hangs: past its deadline and grace; 0: it has no deadline. */
static rv_time busy_until(const struct call *call)
{
    rv_time deadline, until;

    if (!rv_context_deadline(call->ctx, &deadline) ||
        __builtin_add_overflow(deadline, call->grace, &until))
        return 0;
    return until;
}

/* The supervisor looks at a time that it knows of, and finds the next by itself: it need be told
 * only of one that comes before all that it knows. */
static void announce(const struct call *call, rv_time until)
{
    static _Atomic rv_time told;
    struct wire_message message = {.type = WIRE_BUSY, .module = call->slot, .deadline = until};
    rv_time known = atomic_load(&told);

    while (known < rv_now() || until < known)
        if (atomic_compare_exchange_weak(&told, &known, until)) {
            event_send(&message);
            return;
        }
}

void call_begin(struct call *call)
{
    rv_time until = busy_until(call);

    call->tid = gettid();
    atomic_init(&call->returned, false);
    call->alarm.fn = context_done;
    board_enter(call->slot, call->name, call->number, until);
    alarm_begin(&call->alarm, call->ctx);
    if (until > 0)
        announce(call, until);
    current = call;
    rv_error_clear();
}

void call_end(struct call *call)
{
    current = NULL;
    board_leave();
    atomic_store(&call->returned, true);
    alarm_end(&call->alarm);
}

void call_progress(const char *text)
{
    /* In a process that the module has forked, its locks may be held for ever. */
    if (!forked_is() && current && current->progress)
        current->progress(current->arg, text);
}
