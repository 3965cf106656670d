/* SPDX-License-Identifier: MIT */
#include "daemon/edge/edge.h"

#include "daemon/control/snapshot_take.h"
#include "daemon/edge/control/control.h"
#include "daemon/edge/control/log_ring.h"
#include "daemon/edge/control/refusals.h"
#include "daemon/edge/control/work.h"
#include "daemon/edge/edge_record.h"
#include "daemon/edge/page/run_history.h"
#include "daemon/edge/probes.h"
#include "daemon/edge/socket/sockets.h"
#include "daemon/edge/systemd/systemd.h"
#include "daemon/loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/edge/control/log_ring.h"
#include "daemon/edge/documents.h"
#include "daemon/loop/http.h"
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
        .handler = probes_handle,
        .arg = edge,
    };
    int r = http_server_create(edge->loop, &options, &edge->http);

    if (r < 0)
        return r;
    options.handler = control_serve;
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
        r = run_history_create(loop, &edge->documents, &edge->history);
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

static bool has_page(void *arg)
{
    const struct edge *edge = arg;

    return supervisor_config(edge->supervisor)->page;
}

void edge_attach(struct edge *edge, struct supervisor *supervisor)
{
    edge->supervisor = supervisor;
    edge->documents.supervisor = supervisor;
    edge->documents.history = edge->history;
    run_history_start(edge->history, has_page, edge);
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
    run_history_destroy(edge->history);
    documents_clear(&edge->documents);
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

void edge_tell_failure(const char *text)
{
    systemd_tell_failure(text);
}

bool edge_has_waiting(const struct edge *edge)
{
    return work_is_awaited(edge);
}
