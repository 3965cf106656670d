/* SPDX-License-Identifier: MIT */
/*
 * The control socket: HTTP and JSON over a unix socket, for reevectl and for curl --unix-socket.
 * GET only looks, POST changes something: peers.c tells who may.
 *
 *     GET  /v1/status                          what reevectl status shows
 *     GET  /v1/logs[?module=M][&after=N][&lines=K]  the last lines of the log
 *     GET  /v1/tree                            the live contexts, of all processes
 *     POST /v1/run?module=M&task=T[&wait]      202 with the run's number, or 200 with its result
 *     POST /v1/submit?module=M&pool=P[&wait][&timeout=30s]
 *                                              the body is the job's data; answers as run
 *     POST /v1/start?module=M[&wait]           202 when it has begun, or 200 when it is done
 *     POST /v1/stop?module=M[&wait]            as start
 *     POST /v1/restart?module=M[&wait]         as start
 *     POST /v1/reload                          200 when it is done, 409 with the errors
 *     GET  /v1/plan[?check]                    200 with what a reload would do, 409 with the
 *                                              errors; or with those that a start would find
 *     POST /v1/upgrade                         202 right before the new program takes over, or 409
 *
 * Errors are {"error": TEXT, "code": ERRNO NAME}; the probes' paths answer here too. A parameter
 * that a path does not take is 400.
 */
#include "daemon/edge/control/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/log_write.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/control/operate.h"
#include "daemon/control/plan.h"
#include "daemon/control/reload_changes.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/control/context_tree.h"
#include "daemon/edge/control/log_ring.h"
#include "daemon/edge/control/named.h"
#include "daemon/edge/control/peers.h"
#include "daemon/edge/control/status.h"
#include "daemon/edge/control/work.h"
#include "daemon/edge/documents.h"
#include "daemon/edge/edge_record.h"
#include "daemon/edge/probes.h"
#include "daemon/edge/respond.h"
#include "daemon/edge/systemd/systemd.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/http_handover.h"
#include "daemon/loop/http_head.h"
#include "daemon/serialize/fields.h"
#include "daemon/unit/units.h"
#include "settings/config.h"

/* The control socket has some more connections than so many. */
#define WAITING_MAX 192

static void operated(int code, const char *text, void *arg)
{
    struct http_request *request = arg;

    if (code == 0)
        respond_json(request, 200, RESPOND_JSON, json_object());
    else
        respond_error(request,
                      code == -EIO         ? 500
                      : code == -ETIMEDOUT ? 504
                                           : 409,
                      code, "%s", text);
}

static void describe_cause(struct http_request *request, struct cause *ret_cause)
{
    char peer[64];

    *ret_cause = (struct cause){.code = -ECANCELED, .kind = CAUSE_OPERATOR};
    snprintf(ret_cause->text, sizeof(ret_cause->text), "asked for by %s",
             peer_describe(request, peer, sizeof(peer)));
}

/* A module that leaves stops by itself; a request to stop it waits for that. */
static struct unit *find_to_stop(struct edge *edge, struct http_request *request)
{
    const char *name = http_request_parameter(request, "module");
    struct unit *unit = name ? supervisor_find_any(edge->supervisor, name) : NULL;

    return unit ? unit : named_unit(edge, request);
}

static void serve_operation(struct edge *edge, struct http_request *request,
                            enum operation operation)
{
    bool wait = http_request_parameter(request, "wait") != NULL;
    struct unit *unit =
        operation == OPERATE_STOP ? find_to_stop(edge, request) : named_unit(edge, request);
    struct cause cause;
    int r;

    if (!unit)
        return;
    describe_cause(request, &cause);
    r = operate(supervisor_operations(edge->supervisor), unit, operation, &cause,
                wait ? operated : NULL, request);
    if (r == -EBUSY)
        respond_error(request, 503, r, "reeved is %s: try again when it runs",
                      phase_name(supervisor_phase(edge->supervisor)));
    else if (r < 0)
        respond_error(request, 503, r, "%s", strerror(-r));
    else if (!wait)
        respond_json(request, 202, RESPOND_JSON, json_object());
}

static void serve_start(struct edge *edge, struct http_request *request)
{
    serve_operation(edge, request, OPERATE_START);
}

static void serve_stop(struct edge *edge, struct http_request *request)
{
    serve_operation(edge, request, OPERATE_STOP);
}

static void serve_restart(struct edge *edge, struct http_request *request)
{
    serve_operation(edge, request, OPERATE_RESTART);
}

/* The rest ---------------------------------------------------------------- */

static json_t *pack_texts(const struct strings *texts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < texts->count; i++)
        json_array_append_new(list, serialize_text(texts->items[i]));
    return list;
}

static void respond_errors(struct http_request *request, const char *text,
                           const struct strings *errors)
{
    respond_json(request, 409, RESPOND_JSON,
                 json_pack("{s:o, s:s, s:o}", "error", serialize_text(text), "code", "EINVAL",
                           "errors", pack_texts(errors)));
}

static void reload_done(const struct strings *errors, const struct strings *notes, bool applied,
                        void *arg)
{
    struct http_request *request = arg;

    if (errors->count > 0)
        respond_errors(request,
                       applied ? "the new configuration is in force, but not all works"
                               : "the configuration has errors: nothing was changed",
                       errors);
    else
        respond_json(request, 200, RESPOND_JSON,
                     json_pack("{s:[], s:o}", "errors", "notes", pack_texts(notes)));
}

static bool wants_check(struct http_request *request)
{
    return http_request_parameter(request, "check") != NULL;
}

static void planned(const struct plan_result *result, void *arg)
{
    struct http_request *request = arg;
    json_t *steps = json_array();

    if (result->errors->count > 0) {
        json_decref(steps);
        respond_errors(request,
                       wants_check(request)
                           ? "the configuration has errors"
                           : "the configuration has errors: a reload would change nothing",
                       result->errors);
        return;
    }
    for (size_t i = 0; i < result->change_count; i++)
        json_array_append_new(
            steps,
            json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:s?}", "module", result->changes[i].module,
                      "step", reload_step_name(result->changes[i].step), "because",
                      result->changes[i].because, "because_state", result->changes[i].because_state,
                      "held", result->changes[i].held, "work", result->changes[i].work));
    respond_json(request, 200, RESPOND_JSON,
                 json_pack("{s:o, s:b, s:o}", "steps", steps, "needs_restart", result->fixed,
                           "warnings", pack_texts(result->warnings)));
}

static bool plan_is_waited_for(void *arg)
{
    return http_request_fd(arg) >= 0;
}

static void serve_plan(struct edge *edge, struct http_request *request)
{
    const struct plan_asker asker = {wants_check(request), plan_is_waited_for, planned, request};
    int r = plan_start(supervisor_plans(edge->supervisor), &asker);

    if (r < 0)
        respond_error(request, 503, r, "%s", strerror(-r));
}

static void serve_reload(struct edge *edge, struct http_request *request)
{
    supervisor_reload(edge->supervisor, reload_done, request);
}

/* The answer comes from the old program, at the last moment; that the new one answers the next
 * request shows that it runs. */
static void upgrade_decided(int code, const char *text, const struct edge_upgrade *upgrade,
                            void *arg)
{
    struct http_request *request = arg;

    if (code < 0)
        respond_error(request, 409, code, "%s", text);
    else
        respond_json(request, 202, RESPOND_JSON,
                     json_pack("{s:I, s:s, s:s, s:i, s:i}", "generation",
                               (json_int_t)upgrade->generation, "version", upgrade->version, "from",
                               REEVE_VERSION, "kept", (int)upgrade->kept, "replaced",
                               (int)upgrade->replaced));
}

static void serve_upgrade(struct edge *edge, struct http_request *request)
{
    /* Were it not, it would hold up what it asks for. */
    http_request_set_harmless(request);
    edge->upgrade(upgrade_decided, request, edge->upgrade_arg);
}

static void serve_status(struct edge *edge, struct http_request *request)
{
    const struct snapshot *snapshot = documents_snapshot(&edge->documents);

    respond_json(request, 200, RESPOND_JSON, snapshot ? status_json(edge, snapshot) : NULL);
}

/* The last ones, of a module or of all; after tells which the asker has seen already. */
static void serve_logs(struct edge *edge, struct http_request *request)
{
    const char *module = http_request_parameter(request, "module");
    const char *after = http_request_parameter(request, "after");
    const char *most = http_request_parameter(request, "lines");
    long long number = 0, lines = 10000;
    json_t *json;

    if (module && !named_unit(edge, request))
        return;
    if ((after && integer_parse(after, 0, INT64_MAX, &number) < 0) ||
        (most && integer_parse(most, 0, 10000, &lines) < 0)) {
        respond_error(request, 400, -EINVAL, "after and lines are numbers");
        return;
    }
    json = log_ring_json(edge->log_ring, module, (uint64_t)number, (size_t)lines);
    /* Where the rest is, for a client that wants it. */
    json_object_set_new(json, "journal", json_boolean(log_goes_to_journal()));
    json_object_set_new(json, "unit", systemd_unit_json());
    respond_json(request, 200, RESPOND_JSON, json);
}

static const struct route {
    const char *path;
    enum http_method method;
    void (*serve)(struct edge *edge, struct http_request *request);
    const char *parameters[RESPOND_PARAMETERS];
    bool waits; /* until something has happened, however long that takes, also without "wait" */
} routes[] = {
    {"/v1/status", HTTP_METHOD_GET, serve_status, {NULL}},
    {"/v1/logs", HTTP_METHOD_GET, serve_logs, {"module", "after", "lines"}},
    {"/v1/tree", HTTP_METHOD_GET, context_tree_serve, {NULL}},
    {"/v1/run", HTTP_METHOD_POST, work_serve_run, {"module", "task", "wait"}},
    {"/v1/submit", HTTP_METHOD_POST, work_serve_submit, {"module", "pool", "wait", "timeout"}},
    {"/v1/start", HTTP_METHOD_POST, serve_start, {"module", "wait"}},
    {"/v1/stop", HTTP_METHOD_POST, serve_stop, {"module", "wait"}},
    {"/v1/restart", HTTP_METHOD_POST, serve_restart, {"module", "wait"}},
    {"/v1/reload", HTTP_METHOD_POST, serve_reload, {"wait"}, true},
    {"/v1/plan", HTTP_METHOD_GET, serve_plan, {"check", "wait"}, true},
    {"/v1/upgrade", HTTP_METHOD_POST, serve_upgrade, {NULL}},
};

/* Requests that wait leave connections and descriptors to requests that only look, or that stop
 * what the others wait for. */
static bool has_room(struct edge *edge, const struct route *route, struct http_request *request)
{
    bool waits = route->waits || http_request_parameter(request, "wait");
    size_t working = http_server_working(edge->control); /* this one is among them */
    unsigned share = descriptors_share();
    bool scarce = waits && descriptors_left(2 * share) < 2 * share;

    if (!waits || working <= (scarce ? MAX(share / 2, 1U) : WAITING_MAX))
        return true;
    respond_error(request, 503, -EBUSY,
                  "%zu requests wait for their answers already: ask without waiting, or when "
                  "some of these have ended",
                  working - 1);
    return false;
}

static void serve_route(struct edge *edge, const struct route *route, struct http_request *request)
{
    char foreign[400];

    if (http_request_method(request) != route->method)
        respond_error(request, 405, -EINVAL, "%s wants %s", route->path,
                      route->method == HTTP_METHOD_GET ? "GET" : "POST");
    else if (respond_find_foreign(request, route->path, route->parameters, foreign,
                                  sizeof(foreign)))
        respond_error(request, 400, -EINVAL, "%s", foreign);
    else if (has_room(edge, route, request))
        route->serve(edge, request);
}

void control_serve(struct http_request *request, void *arg)
{
    struct edge *edge = arg;
    const char *path = http_request_path(request);
    const struct http_refusal *refusal = http_request_query_refusal(request);

    if (!peer_may(edge, request, http_request_method(request) == HTTP_METHOD_POST))
        return;
    if (refusal) {
        respond_error(request, refusal->status, refusal->status == 400 ? -EINVAL : -ENOMEM, "%s",
                      refusal->text);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
        if (strcmp(path, routes[i].path) == 0) {
            serve_route(edge, &routes[i], request);
            return;
        }
    if (!probes_serve(edge, request))
        respond_error(request, 404, -ENOENT, "there is no %s", path);
}
