/* SPDX-License-Identifier: MIT */
#include "host/lifecycle/drain.h"

#include <errno.h>

#include "base/duration.h"
#include "base/macro.h"
#include "host/pool/jobs.h"
#include "host/process/alarm.h"
#include "host/report/log_sink.h"
#include "host/task/task.h"

int drain_prepare(struct host_module *module)
{
    return rv_context_with_cancel(rv_context_background(), &module->drain.limit,
                                  &module->drain.cancel_limit);
}

void drain_finish(struct host_module *module)
{
    module->drain.limit = rv_context_unref(module->drain.limit);
}

/* Has nothing moved meanwhile, the drain is over. */
static void look_at_moves(struct alarm *alarm)
{
    struct drain *drain = container_of(alarm, struct drain, alarm);
    const struct host_module *module = container_of(drain, struct host_module, drain);
    rv_duration stalls = duration_add(atomic_load(&module->moved_at), drain->stall);

    if (rv_now() < MIN(drain->end, stalls))
        alarm_set(alarm, MIN(drain->end, stalls));
    else
        rv_context_cancel(drain->cancel_limit, -ETIMEDOUT, NULL);
}

bool drain_wait_for_all(struct rv_context *ctx, struct host_module *module)
{
    bool ended = true;

    for (size_t i = 0; i < module->code.pool_count && ended; i++)
        ended = jobs_wait(ctx, module->pool_runners[i]);
    for (size_t i = 0; i < module->code.task_count && ended; i++)
        if (module->bound.work.tasks[i].on_stop == TASK_ON_STOP_FINISH)
            ended = task_wait(ctx, module->task_runners[i], 0);
    return ended;
}

bool drain_wait(struct host_module *module, rv_duration budget, rv_duration stall)
{
    struct drain *drain = &module->drain;
    char text[DURATION_TEXT_SIZE];
    bool ended;

    atomic_store(&module->moved_at, rv_now());
    drain->end = duration_add(rv_now(), budget);
    drain->stall = stall;
    drain->alarm.fn = look_at_moves;
    alarm_begin(&drain->alarm, NULL);
    alarm_set(&drain->alarm, duration_add(rv_now(), MIN(budget, stall)));
    ended = drain_wait_for_all(drain->limit, module);
    alarm_end(&drain->alarm);
    if (!ended && rv_now() < drain->end)
        host_log(module->root, RV_LOG_WARNING,
                 "the drain is cut short: nothing has moved for %s (drain-stall)",
                 duration_format(stall, text, sizeof(text)));
    return ended;
}
