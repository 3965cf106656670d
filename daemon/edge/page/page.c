/* SPDX-License-Identifier: MIT */
/*
 * The page for people at "/", and what its script asks for again and again. Both are read only, and
 * say no more than /health and /metrics do: an error is its first line. The state is a document of
 * the snapshot, so that no reader of the page, however many there are, asks a host for anything; the
 * context tree is what the scoreboard tells of it.
 */
#include "daemon/edge/page/page.h"

#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "daemon/control/health_rules.h"
#include "daemon/control/snapshot.h"
#include "daemon/edge/page/page_html.h"
#include "daemon/edge/respond.h"
#include "daemon/loop/http.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

static json_t *task_state(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    const struct scoreboard_task *r = task->record;
    const char *state = r->state == SCOREBOARD_TASK_RUNNING     ? "running"
                        : r->state == SCOREBOARD_TASK_CANCELLED ? "cancelled"
                        : r->state == SCOREBOARD_TASK_WAITING   ? "waiting"
                                                                : "stopped";
    bool planned = r->state == SCOREBOARD_TASK_WAITING && r->next_due > 0;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "name", r->name, "state", state,
        "health", health_name(task->health), "schedule", r->schedule, "output",
        json_public(task->output), "run", (json_int_t)r->run, "runs", (json_int_t)r->runs,
        "failures", (json_int_t)r->failures, "run_sum", json_seconds(r->run_duration.sum),
        "running",
        scoreboard_task_is_running(r) ? json_seconds(snapshot->taken - r->started_at) : json_null(),
        "next_in", planned ? json_seconds(r->next_due - snapshot->taken) : json_null());
}

static json_t *pool_state(const struct snapshot *snapshot, const struct scoreboard_pool *pool)
{
    const char *output;

    (void)snapshot;
    (void)health_of_pool(pool, &output);

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "name", pool->name,
                     "workers", (json_int_t)pool->workers, "capacity", (json_int_t)pool->capacity,
                     "queued", (json_int_t)pool->queued, "active", (json_int_t)pool->active,
                     "finished", (json_int_t)pool->finished, "failed", (json_int_t)pool->failed,
                     "lost", (json_int_t)pool->lost, "job_sum",
                     json_seconds(pool->job_duration.sum), "output", json_public(output));
}

/* The page is public: it shows the kind of the last restart, but not the reason, which may quote paths
 * and addresses. */
static json_t *module_state(const struct snapshot *snapshot, const struct snapshot_module *module)
{
    const struct restart *restart = module->last_restart;
    json_t *tasks = json_array(), *pools = json_array();

    for (size_t i = 0; i < module->task_count; i++)
        json_array_append_new(tasks, task_state(snapshot, &module->tasks[i]));
    for (size_t i = 0; i < module->pool_count; i++)
        json_array_append_new(pools, pool_state(snapshot, &module->pools[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "name", module->name,
        "state", unit_state_name(module->state), "health", health_name(module->health), "ready",
        module->ready, "essential", module->essential, "since",
        json_seconds(snapshot->taken - module->state_since), "output", json_public(module->output),
        "restarts", (json_int_t)module->restarts, "restarted",
        restart ? json_seconds(snapshot->taken - restart->at) : json_null(), "restart_kind",
        restart ? json_string(cause_kind_name(restart->kind)) : json_null(), "tasks", tasks,
        "pools", pools);
}

static json_t *page_json(const struct snapshot *snapshot)
{
    json_t *modules = json_array();

    for (size_t i = 0; i < snapshot->module_count; i++)
        json_array_append_new(modules, module_state(snapshot, &snapshot->modules[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "version", REEVE_VERSION, "health",
                     health_name(snapshot->health), "phase", phase_name(snapshot->phase), "uptime",
                     json_seconds(snapshot->taken - snapshot->started_at), "cause",
                     snapshot->cause.code != 0 ? json_public(snapshot->cause.text) : json_null(),
                     "modules", modules);
}

void page_serve(struct http_request *request)
{
    const struct http_header headers[] = {{"Content-Security-Policy", page_policy},
                                          {"X-Content-Type-Options", "nosniff"},
                                          {"Referrer-Policy", "no-referrer"},
                                          {"Cross-Origin-Resource-Policy", "same-origin"},
                                          {"Cross-Origin-Opener-Policy", "same-origin"},
                                          {"Cache-Control", "no-cache"},
                                          {NULL, NULL}};
    struct http_response response = {.status = 200,
                                     .content_type = "text/html; charset=utf-8",
                                     .body = (const char *)page_html,
                                     .size = page_size,
                                     .headers = headers};

    http_respond(request, &response);
}

static int append_bytes(const char *bytes, size_t size, void *arg)
{
    text_append_bytes(arg, bytes, size);
    return 0;
}

static void write_state(const struct snapshot *snapshot, size_t connections _unused_,
                        struct text *text)
{
    json_t *json = page_json(snapshot);

    if (!json || json_dump_callback(json, append_bytes, text, JSON_INDENT(2)) < 0)
        text->failed = true;
    json_decref(json);
    /* A document's last line ends as every line does: kind to a terminal. */
    text_append(text, "\n");
}

const struct document page_document = {RESPOND_JSON, write_state};
