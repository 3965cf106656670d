/* SPDX-License-Identifier: MIT */
/* How far schedules have come, as hosts' scoreboards tell. */
#include "base/clock.h"
#include "base/macro.h"
#include "base/text.h"
#include "daemon/unit/last_runs_internal.h"
#include "wire/scoreboard.h"

/* Returns false for a task without a schedule, unless it is stopped for an error. */
static bool read_task(struct scoreboard_task *task, struct last_runs_entry *ret_seen)
{
    *ret_seen = (struct last_runs_entry){
        .task = task->name,
        .kept = task->kept,
        .by_interval = task->open > 0 && task->interval > 0,
        .failures = task->failures_in_row,
        .passed_until = task->passes != SCOREBOARD_PASSES_NONE ? clock_realtime() : 0,
        .stopped = task->passes == SCOREBOARD_PASSES_STOPPED,
        .set_back = task->settled_realtime > 0,
        .seen_at = clock_realtime(),
    };
    ret_seen->open = ret_seen->by_interval ? task->open : task->open_realtime;
    ret_seen->settled = ret_seen->open - (ret_seen->by_interval ? task->interval : 1);
    if (ret_seen->open <= 0)
        ret_seen->settled = clock_realtime();
    if (ret_seen->set_back)
        ret_seen->settled = MAX(ret_seen->settled, task->settled_realtime);
    return ret_seen->open > 0 || ret_seen->stopped;
}

static void read_board(struct last_runs *last_runs, const char *module,
                       const struct scoreboard *board, uint32_t slot, bool dead)
{
    bool changed = false;

    for (unsigned i = 0; scoreboard_next_task(board, slot, &i); i++) {
        struct scoreboard_task task;
        struct last_runs_entry seen;
        bool whole = scoreboard_read_task(board, i, &task);

        if (!task.head.used)
            break;
        if (!whole || task.module != slot || task.name[0] == '\0' || !read_task(&task, &seen))
            continue;
        text_sanitise(task.name);
        seen.failures += dead && scoreboard_task_is_running(&task) && seen.failures < UINT32_MAX;
        changed = last_runs_table_note(&last_runs->table, module, &seen) || changed;
    }
    if (changed)
        last_runs_mark_changed(last_runs);
}

void last_runs_read_board(struct last_runs *last_runs, const char *module,
                          const struct scoreboard *board, uint32_t slot)
{
    read_board(last_runs, module, board, slot, false);
}

void last_runs_close_board(struct last_runs *last_runs, const char *module,
                           const struct scoreboard *board, uint32_t slot)
{
    read_board(last_runs, module, board, slot, true);
}
