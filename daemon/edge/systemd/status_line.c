/* SPDX-License-Identifier: MIT */
/*
 * The one line that `systemctl status` shows: where the daemon is, how many modules are ready, the
 * worst of them with its reason, a reload that failed until one has gone well, and while it stops,
 * why, and what it still waits for.
 */
#include "daemon/edge/systemd/status_line.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/shown.h"
#include "base/text.h"
#include "daemon/unit/units.h"

/* So that the line stays one. */
#define REASON_MAX 160

/* Why a module is not well: its own reason, or that of its worst task. */
static const char *reason_of(const struct snapshot_module *module)
{
    const struct snapshot_task *worst = NULL;

    if (module->output[0] != '\0')
        return module->output;
    for (size_t i = 0; i < module->task_count; i++)
        if (!worst || module->tasks[i].health > worst->health)
            worst = &module->tasks[i];
    if (worst && worst->health != HEALTH_PASS)
        return worst->output;
    return module->crash ? module->crash->summary : "";
}

static void add_worst(const struct snapshot *snapshot, struct text *line)
{
    const struct snapshot_module *worst = NULL;

    for (size_t i = 0; i < snapshot->module_count; i++)
        if (!worst || snapshot->modules[i].health > worst->health)
            worst = &snapshot->modules[i];
    if (worst && worst->health != HEALTH_PASS)
        text_append_format(line, "; %s: %.*s", worst->name,
                           (int)MIN((size_t)REASON_MAX, text_first_line(reason_of(worst))),
                           reason_of(worst));
}

static void add_work(const struct snapshot_module *module, struct text *line)
{
    uint64_t runs = 0, jobs = 0;

    for (size_t i = 0; i < module->task_count; i++)
        runs += scoreboard_task_is_running(module->tasks[i].record);
    for (size_t i = 0; i < module->pool_count; i++)
        jobs += (uint64_t)module->pools[i].active + module->pools[i].queued;
    if (runs + jobs > 0)
        text_append_format(line, " (%" PRIu64 " %s, %" PRIu64 " %s)", runs,
                           plural(runs, "run", "runs"), jobs, plural(jobs, "job", "jobs"));
}

static bool is_left(const struct snapshot_module *module)
{
    return module->state != UNIT_STOPPED && module->state != UNIT_FAILED;
}

/* Modules that are being stopped, with their work; the others wait for their turn. */
static void add_left(const struct snapshot *snapshot, struct text *line)
{
    size_t left = 0;

    for (size_t i = 0; i < snapshot->module_count; i++)
        left += is_left(&snapshot->modules[i]);
    text_append_format(line, "; %zu of %zu modules left", left, snapshot->module_count);
    for (size_t i = 0; i < snapshot->module_count; i++)
        if (snapshot->modules[i].state == UNIT_STOPPING) {
            text_append_format(line, ", %s stops", snapshot->modules[i].name);
            add_work(&snapshot->modules[i], line);
        }
}

void status_line(const struct snapshot *snapshot, char *ret_line, size_t size)
{
    cleanup_text struct text line = {0};

    text_append(&line, phase_name(snapshot->phase));
    if (snapshot->phase >= PHASE_DRAINING) {
        text_append_format(&line, ": %s", snapshot->cause.text);
        if (snapshot->phase != PHASE_STOPPED)
            add_left(snapshot, &line);
    } else {
        text_append_format(&line, ": %zu of %zu modules ready", snapshot->modules_ready,
                           snapshot->modules_configured);
        add_worst(snapshot, &line);
        if (snapshot->reloads.last_failed)
            text_append_format(&line, "; the last reload failed: %.*s", REASON_MAX,
                               snapshot->reloads.last_error);
    }
    string_copy(ret_line, size, text_string(&line));
    /* One that was cut may end within a character. */
    text_sanitise(ret_line);
}
