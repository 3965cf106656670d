/* SPDX-License-Identifier: MIT */
#include "daemon/host/drain.h"

#include "base/duration.h"
#include "base/macro.h"
#include "daemon/host/board.h"
#include "daemon/host/jobs.h"
#include "daemon/host/log_sink.h"
#include "daemon/host/task.h"

void drain_note_progress(struct host_module *module)
{
    rv_duration now = rv_now();

    atomic_store(&module->moved_at, now);
    /* For systemd, which waits for a stop as long as it moves. */
    atomic_store_explicit(board_moved(module->slot), now, memory_order_relaxed);
}

static rv_duration after(rv_duration start, rv_duration time)
{
    rv_duration end;

    return __builtin_add_overflow(start, time, &end) ? RV_FOREVER : end;
}

/* Returns whether all work has ended by then; false as well when there is no memory to wait with, after a pause. */
static bool wait_until(struct rv_context *ctx, struct host_module *module, rv_duration deadline)
{
    struct rv_context *limit;
    bool ended = true;

    if (rv_context_with_deadline(ctx, deadline, &limit) < 0) {
        rv_sleep(ctx, WAIT_RETRY_PAUSE);
        return false;
    }
    for (size_t i = 0; i < module->code.pool_count && ended; i++)
        ended = jobs_wait(limit, module->pool_runners[i]);
    for (size_t i = 0; i < module->code.task_count && ended; i++)
        if (module->bound.tasks[i].on_stop == TASK_ON_STOP_FINISH)
            ended = task_wait(limit, module->task_runners[i], 0);
    /* With time left it was no wait at all. */
    if (!ended && rv_context_err(limit) == 0)
        rv_sleep(limit, WAIT_RETRY_PAUSE);
    rv_context_unref(limit);
    return ended;
}

bool drain_wait(struct rv_context *ctx, struct host_module *module, rv_duration budget,
                rv_duration stall)
{
    rv_duration end = after(rv_now(), budget), deadline;
    char text[DURATION_TEXT_SIZE];

    atomic_store(&module->moved_at, rv_now());
    do {
        deadline = MIN(end, after(atomic_load(&module->moved_at), stall));
        if (wait_until(ctx, module, deadline))
            return true;
        if (rv_context_err(ctx) != 0)
            return false;
    } while (rv_now() < MIN(end, after(atomic_load(&module->moved_at), stall)));
    if (rv_now() < end)
        host_log(module->root, RV_LOG_WARNING,
                 "the drain is cut short: nothing has moved for %s (drain-stall)",
                 duration_format(stall, text, sizeof(text)));
    return false;
}
