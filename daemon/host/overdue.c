/* SPDX-License-Identifier: MIT */
#include "daemon/host/overdue.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/host/hang.h"
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

void overdue_begin(struct overdue *overdue)
{
    overdue->tid = gettid();
    overdue->after = NULL;
    overdue->returned = NULL;
    if (rv_context_with_cancel(rv_context_background(), &overdue->returned) < 0 ||
        rv_context_after(overdue->ctx, watch, overdue, &overdue->after) < 0)
        rv_log(overdue->ctx, RV_LOG_WARNING, "no memory to watch whether it honours a cancel");
}

void overdue_end(struct overdue *overdue)
{
    if (overdue->returned)
        rv_context_cancel(overdue->returned, 0, NULL);
    if (overdue->after)
        rv_after_stop(overdue->after);
    rv_context_unref(overdue->returned);
}
