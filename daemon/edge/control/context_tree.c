/* SPDX-License-Identifier: MIT */
/*
 * The live context tree across processes: the root and the modules are the supervisor's own, what
 * is below them is asked of the hosts. One that does not answer within a second is shown as silent,
 * which is a finding too.
 */
#include "daemon/edge/control/context_tree.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/documents.h"
#include "daemon/edge/respond.h"
#include "daemon/loop/loop.h"
#include "daemon/serialize/fields.h"
#include "daemon/unit/request.h"
#include "daemon/unit/unit.h"

#define PATIENCE NSEC_PER_SEC

struct gathering;

struct branch {
    struct list list;
    struct gathering *gathering;
    json_t *module; /* borrowed from the gathering's document */
    json_t *nodes;  /* likewise */
    bool waiting;
};

struct gathering {
    struct supervisor *supervisor;
    struct http_request *request;
    struct loop_timer *timer;
    struct list branches;
    json_t *tree;
};

static void answered(const struct request_answer *answer, void *arg);

static void respond(struct gathering *gathering)
{
    struct branch *branch, *next;

    LIST_FOREACH_SAFE (branch, next, &gathering->branches, list) {
        if (branch->waiting) {
            requests_forget(supervisor_requests(gathering->supervisor), answered, branch);
            json_object_set_new(branch->module, "silent", json_true());
        }
        list_remove(&branch->list);
        free(branch);
    }
    respond_json(gathering->request, 200, "application/json", gathering->tree);
    loop_timer_destroy(gathering->timer);
    free(gathering);
}

static void respond_when_complete(struct gathering *gathering)
{
    const struct branch *branch;

    LIST_FOREACH (branch, &gathering->branches, list)
        if (branch->waiting)
            return;
    /* Not here: a host may be in the middle of its answers. */
    loop_timer_arm(gathering->timer, 0);
}

static void add_node(struct branch *branch, const struct request_node *node)
{
    const char *err = node->err < 0 ? strerrorname_np(-node->err) : NULL;
    json_t *json = json_pack("{s:i, s:o, s:I, s:o}", "depth", (int)node->depth, "name",
                             serialize_text(node->name), "run", (json_int_t)node->run, "age",
                             json_seconds(node->age));

    json_object_set_new(json, "deadline_in",
                        node->deadline == INT64_MAX
                            ? json_null()
                            : json_seconds(node->deadline - clock_monotonic()));
    json_object_set_new(json, "done", err ? json_string(err) : json_null());
    json_array_append_new(branch->nodes, json);
}

static void answered(const struct request_answer *answer, void *arg)
{
    struct branch *branch = arg;

    if (answer->node) {
        add_node(branch, answer->node);
        return;
    }
    if (!answer->final)
        return;
    branch->waiting = false;
    json_object_set_new(branch->module, "contexts", json_integer((json_int_t)answer->number));
    respond_when_complete(branch->gathering);
}

static void add_module(struct gathering *gathering, json_t *modules, struct unit *unit)
{
    struct branch *branch = calloc(1, sizeof(*branch));
    json_t *nodes = json_array();
    json_t *module = json_pack(
        "{s:s, s:s, s:o, s:o, s:b, s:n, s:o}", "name", unit->name, "state",
        unit_state_name(unit->state), "age", json_seconds(clock_monotonic() - unit->state_since),
        "cause", serialize_text(unit->cause.text), "silent", false, "contexts", "nodes", nodes);
    int r;

    json_array_append_new(modules, module);
    if (!branch || !module) {
        free(branch);
        return;
    }
    *branch = (struct branch){.gathering = gathering, .module = module, .nodes = nodes};
    list_append(&gathering->branches, &branch->list);
    r = request_tree(supervisor_requests(gathering->supervisor), unit, answered, branch);
    branch->waiting = r == 0;
    /* It reads so little that no more is sent to it. */
    if (r == -ENOBUFS)
        json_object_set_new(module, "silent", json_true());
}

static void time_is_up(void *arg)
{
    respond(arg);
}

void context_tree_serve(struct edge *edge, struct http_request *request)
{
    struct gathering *gathering = calloc(1, sizeof(*gathering));
    const struct snapshot *snapshot = documents_snapshot(&edge->documents);
    json_t *modules = json_array();

    if (!gathering || !snapshot ||
        loop_timer_create(edge->loop, time_is_up, gathering, &gathering->timer) < 0) {
        free(gathering);
        json_decref(modules);
        respond_text(request, 503, "out of memory");
        return;
    }
    gathering->supervisor = edge->supervisor;
    gathering->request = request;
    list_init(&gathering->branches);
    gathering->tree = json_pack("{s:s, s:o, s:o, s:o}", "name", "reeved", "age",
                                json_seconds(snapshot->taken - snapshot->started_at), "cause",
                                serialize_text(snapshot->cause.text), "modules", modules);
    loop_timer_arm(gathering->timer, PATIENCE);
    for (size_t i = 0; i < snapshot->module_count; i++) {
        struct unit *unit = supervisor_find_any(edge->supervisor, snapshot->modules[i].name);

        if (unit)
            add_module(gathering, modules, unit);
    }
    respond_when_complete(gathering);
}
