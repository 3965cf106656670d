/* SPDX-License-Identifier: MIT */
#include "daemon/control/snapshot_take.h"
#include "daemon/edge/edge_internal.h"
#include "daemon/loop/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/nearest.h"
#include "daemon/edge/log_ring.h"
#include "wire/message.h"

/* Limits of both servers; the design gives the reasons for the times. */
#define REQUEST_TIMEOUT (5 * NSEC_PER_SEC)
#define WRITE_TIMEOUT   (10 * NSEC_PER_SEC)
#define IDLE_TIMEOUT    (120 * NSEC_PER_SEC)
#define HEADER_MAX      (8 * 1024)
/* Probes have no body at all. */
#define PUBLIC_BODY_MAX 1024
/* A client that waits has one for as long as that takes. */
#define CONTROL_CONNECTIONS 256

const struct snapshot *edge_snapshot(struct edge *edge)
{
    struct snapshot *snapshot;

    if (edge->snapshot && !snapshot_is_stale(edge->snapshot, edge->supervisor))
        return edge->snapshot;
    if (snapshot_take(edge->supervisor, &snapshot) < 0) {
        log_error("no memory for a snapshot: answers are from an old one");
        return edge->snapshot;
    }
    edge_forget_documents(edge);
    snapshot_free(edge->snapshot);
    edge->snapshot = snapshot;
    return snapshot;
}

bool edge_find_foreign(struct http_request *request, const char *path,
                       const char *const parameters[EDGE_PARAMETERS], char *ret_text, size_t size)
{
    const char *foreign = http_request_foreign_parameter(request, parameters);
    struct nearest nearest;
    cleanup_text struct text text = {0};
    char shown[80];

    if (!foreign)
        return false;
    string_copy(shown, sizeof(shown), foreign);
    text_sanitise(shown);
    nearest_begin(&nearest, foreign);
    for (size_t i = 0; parameters[i]; i++)
        nearest_offer(&nearest, parameters[i]);
    text_append_format(&text, "unknown parameter \"%s\"%s%s %s takes %s", shown,
                       nearest_words(&nearest), nearest_found(&nearest) ? "" : ";", path,
                       parameters[0] ? "" : "no parameter");
    for (size_t i = 0; parameters[i]; i++)
        text_append_format(&text, "%s%s", i > 0 ? ", " : "", parameters[i]);
    string_copy(ret_text, size, text_string(&text));
    return true;
}

void edge_respond_text(struct http_request *request, int status, const char *format, ...)
{
    struct http_response response = {.status = status, .content_type = "text/plain; charset=utf-8"};
    char line[512];
    va_list args;

    va_start(args, format);
    /* A byte stays free for the line end. */
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    response.body = line;
    response.size = strlen(line);
    http_respond(request, &response);
}

void edge_respond_json(struct http_request *request, int status, const char *type, json_t *json)
{
    struct http_response response = {.status = status, .content_type = type};
    char *body = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);
    if (!body) {
        edge_respond_text(request, 503, "out of memory");
        return;
    }
    /* A document's last line ends as every line does: kind to a terminal. The end is written over
     * the terminator. */
    response.size = strlen(body);
    body[response.size++] = '\n';
    response.body = body;
    http_respond(request, &response);
    free(body);
}

static int create_servers(struct edge *edge, const struct config *config)
{
    struct http_options options = {
        .connections_max = config->connections_max,
        .yields = true,
        .header_max = HEADER_MAX,
        .body_max = PUBLIC_BODY_MAX,
        .request_timeout = REQUEST_TIMEOUT,
        .write_timeout = WRITE_TIMEOUT,
        .idle_timeout = IDLE_TIMEOUT,
        .handler = edge_http_handler,
        .arg = edge,
    };
    int r = http_server_create(edge->loop, &options, &edge->http);

    if (r < 0)
        return r;
    options.handler = edge_control_handler;
    options.connections_max = CONTROL_CONNECTIONS;
    options.yields = false;
    options.body_max = WIRE_JOB_DATA_MAX;
    return http_server_create(edge->loop, &options, &edge->control);
}

int edge_create(struct loop *loop, const struct config *config, bool successor,
                struct edge **ret_edge)
{
    struct edge *edge = calloc(1, sizeof(*edge));
    int r;

    if (!edge)
        return -ENOMEM;
    edge->loop = loop;
    r = log_ring_create(&edge->log_ring);
    if (r == 0)
        r = refusals_create(loop, &edge->refusals);
    if (r == 0)
        r = create_servers(edge, config);
    if (r == 0 && successor)
        edge_hold(edge);
    else if (r == 0)
        r = sockets_bind(edge, config);
    if (r == 0)
        r = sockets_watch(edge);
    if (r == 0)
        r = systemd_create(edge, successor, &edge->systemd);
    if (r < 0) {
        edge_destroy(edge);
        return r;
    }
    *ret_edge = edge;
    return 0;
}

void edge_attach(struct edge *edge, struct supervisor *supervisor)
{
    edge->supervisor = supervisor;
}

void edge_set_upgrade(struct edge *edge,
                      void (*upgrade)(edge_upgrade_fn done, void *done_arg, void *arg), void *arg)
{
    edge->upgrade = upgrade;
    edge->upgrade_arg = arg;
}

void edge_upgrade_tell(struct edge *edge, bool under_way, const char *error)
{
    edge->upgrading = under_way;
    string_copy(edge->upgrade_error, sizeof(edge->upgrade_error), error);
    text_sanitise(edge->upgrade_error);
}

void edge_destroy(struct edge *edge)
{
    if (!edge)
        return;
    http_server_destroy(edge->http);
    http_server_destroy(edge->control);
    sockets_remove(edge);
    loop_timer_destroy(edge->control_timer);
    free(edge->control_path);
    systemd_destroy(edge->systemd);
    refusals_destroy(edge->refusals);
    log_ring_destroy(edge->log_ring);
    edge_forget_documents(edge);
    snapshot_free(edge->snapshot);
    strings_free(&edge->addresses);
    free(edge);
}

void edge_observe(struct edge *edge, enum supervisor_event event)
{
    if (event == SUPERVISOR_RELOADED)
        sockets_look(edge);
    systemd_observe(edge->systemd, event);
}

static void server_drained(void *arg)
{
    struct edge *edge = arg;

    if (--edge->draining == 0)
        edge->drained(edge->drained_arg);
}

void edge_drain(struct edge *edge, void (*done)(void *arg), void *arg)
{
    edge->drained = done;
    edge->drained_arg = arg;
    edge->draining = 2;
    http_server_drain(edge->http, EDGE_DRAIN_TIMEOUT, server_drained, edge);
    http_server_drain(edge->control, EDGE_DRAIN_TIMEOUT, server_drained, edge);
}
