/* SPDX-License-Identifier: MIT */
#include "host/task/overdue.h"

#include <stdio.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/macro.h"
#include "host/crash/hang.h"
#include "host/module/module.h"
#include "host/report/board.h"

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

/* At the end of the grace. */
static void grace_over(struct alarm *alarm)
{
    struct overdue *overdue = container_of(alarm, struct overdue, alarm);
    bool noted = hang_note(overdue->tid, overdue->slot, overdue->name, overdue->number);

    if (!atomic_load(&overdue->returned))
        tell(overdue);
    else if (noted)
        hang_forget();
}

/* Once the context is done. */
static void context_done(struct alarm *alarm)
{
    struct overdue *overdue = container_of(alarm, struct overdue, alarm);

    if (overdue->cancelled)
        overdue->cancelled(overdue->arg);
    alarm->fn = grace_over;
    alarm_set(alarm, duration_add(rv_now(), overdue->grace));
}

/* When the call hangs: past its deadline and grace; 0: it has no deadline. */
static rv_time busy_until(const struct overdue *overdue)
{
    rv_time deadline, until;

    if (!rv_context_deadline(overdue->ctx, &deadline) ||
        __builtin_add_overflow(deadline, overdue->grace, &until))
        return 0;
    return until;
}

/* The supervisor looks at a time that it knows of, and finds the next by itself: it need be told only
 * of one that comes before all that it knows. */
static void announce(const struct overdue *overdue, rv_time until)
{
    static _Atomic rv_time told;
    struct wire_message message = {.type = WIRE_BUSY, .module = overdue->slot, .deadline = until};
    rv_time known = atomic_load(&told);

    while (known < rv_now() || until < known)
        if (atomic_compare_exchange_weak(&told, &known, until)) {
            module_emit(&message);
            return;
        }
}

void overdue_begin(struct overdue *overdue)
{
    rv_time until = busy_until(overdue);

    overdue->tid = gettid();
    atomic_init(&overdue->returned, false);
    overdue->alarm.fn = context_done;
    board_enter(overdue->slot, overdue->name, overdue->number, until);
    alarm_begin(&overdue->alarm, overdue->ctx);
    if (until > 0)
        announce(overdue, until);
}

void overdue_end(struct overdue *overdue)
{
    board_leave();
    atomic_store(&overdue->returned, true);
    alarm_end(&overdue->alarm);
}
