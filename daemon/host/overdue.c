/* SPDX-License-Identifier: MIT */
#include "daemon/host/overdue.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/host/board.h"
#include "daemon/host/hang.h"
#include "daemon/host/log_sink.h"
#include "daemon/host/module.h"

static void tell(const struct overdue *overdue)
{
    struct wire_message message = {.type = WIRE_OVERDUE,
                                   .module = overdue->slot,
                                   .number = overdue->number,
                                   .duration = overdue->grace,
                                   .name = overdue->name};
    struct rv_cause cause;
    char text[400];

    rv_context_cause(overdue->ctx, &cause);
    snprintf(text, sizeof(text), "cancelled because of: %s", cause.text);
    message.text = text;
    module_emit(&message);
}

/* On a thread of its own, once the context is done. */
static void watch(void *arg)
{
    struct overdue *overdue = arg;
    bool noted;

    if (overdue->cancelled)
        overdue->cancelled(overdue->arg);
    if (rv_sleep(overdue->returned, overdue->grace) != 0)
        return;
    noted = hang_note(overdue->tid, overdue->slot, overdue->name, overdue->number);
    if (rv_context_err(overdue->returned) == 0)
        tell(overdue);
    else if (noted)
        hang_forget();
}

/* When the call hangs: past its deadline and grace; 0: it has no deadline. */
static rv_duration busy_until(const struct overdue *overdue)
{
    rv_duration deadline, until;

    if (!rv_context_deadline(overdue->ctx, &deadline) ||
        __builtin_add_overflow(deadline, overdue->grace, &until))
        return 0;
    return until;
}

/* The supervisor looks at a time that it knows of, and finds the next by itself: it need be told only
 * of one that comes before all that it knows. */
static void announce(const struct overdue *overdue, rv_duration until)
{
    static _Atomic rv_duration told;
    struct wire_message message = {.type = WIRE_BUSY, .module = overdue->slot, .deadline = until};
    rv_duration known = atomic_load(&told);

    while (known < rv_now() || until < known)
        if (atomic_compare_exchange_weak(&told, &known, until)) {
            module_emit(&message);
            return;
        }
}

void overdue_begin(struct overdue *overdue)
{
    rv_duration until = busy_until(overdue);

    overdue->tid = gettid();
    overdue->after = NULL;
    overdue->returned = NULL;
    if (rv_context_with_cancel(rv_context_background(), &overdue->returned) < 0 ||
        rv_context_after(overdue->ctx, watch, overdue, &overdue->after) < 0)
        host_log(overdue->ctx, RV_LOG_WARNING, "no memory to watch whether it honours a cancel");
    board_enter(overdue->slot, overdue->name, overdue->number, until);
    if (until > 0)
        announce(overdue, until);
}

void overdue_end(struct overdue *overdue)
{
    board_leave();
    if (overdue->returned)
        rv_context_cancel(overdue->returned, 0, NULL);
    if (overdue->after)
        rv_after_stop(overdue->after);
    rv_context_unref(overdue->returned);
}
