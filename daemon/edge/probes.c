/* SPDX-License-Identifier: MIT */
/*
 * The paths for probes. They answer GET and HEAD, 405 to other methods, 404 elsewhere. An error is
 * one line, without addresses or stacks: those are for the control socket.
 */
#include "daemon/edge/probes.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "daemon/control/snapshot.h"
#include "daemon/control/snapshot_take.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/control/named.h"
#include "daemon/edge/documents.h"
#include "daemon/edge/health.h"
#include "daemon/edge/metrics/metrics.h"
#include "daemon/edge/page/page.h"
#include "daemon/edge/page/page_state.h"
#include "daemon/edge/respond.h"
#include "daemon/loop/http_head.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* Host -------------------------------------------------------------------- */

/* Cuts "host:port" and "[v6]:port" down to the host. */
static bool cut_port(const char *value, char *host, size_t size)
{
    const char *end;

    if (*value == '[') {
        end = strchr(++value, ']');
        if (!end)
            return false;
    } else {
        end = value + strcspn(value, ":");
    }
    if (end == value || (size_t)(end - value) >= size)
        return false;
    memcpy(host, value, (size_t)(end - value));
    host[end - value] = '\0';
    return true;
}

/*
 * A browser that was led here under another name (DNS rebinding) sends that name. Addresses,
 * "localhost" and configured names are what a probe uses; HTTP/1.0 probes send no Host at all.
 */
static bool host_is_ours(const struct edge *edge, struct http_request *request)
{
    const struct config *config = supervisor_config(edge->supervisor);
    const char *value = http_request_header(request, "Host");
    unsigned char address[sizeof(struct in6_addr)];
    char host[256];

    if (!value || *value == '\0')
        return true;
    if (!cut_port(value, host, sizeof(host)))
        return false;
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1 ||
        strcasecmp(host, "localhost") == 0)
        return true;
    for (size_t i = 0; i < config->allowed_hosts.count; i++)
        if (strcasecmp(host, config->allowed_hosts.items[i]) == 0)
            return true;
    return false;
}

/* Answers and returns NULL when there is none. */
static const struct snapshot *take_snapshot(struct edge *edge, struct http_request *request)
{
    const struct snapshot *snapshot = documents_snapshot(&edge->documents);

    if (!snapshot)
        respond_text(request, 503, "out of memory");
    return snapshot;
}

/* Probes ------------------------------------------------------------------ */

/* A path and its answers. */
struct endpoint {
    const char *path;
    const char *parameters[RESPOND_PARAMETERS];
    void (*respond)(struct edge *edge, struct http_request *request,
                    const struct endpoint *endpoint);
    /* Of one module: PATH/MODULE, or PATH?module=MODULE. NULL: there is no such answer. */
    void (*respond_module)(struct http_request *request, const struct endpoint *endpoint,
                           const struct snapshot *snapshot);
    /* Of a probe: what it tests, as a whole and of a single module. */
    bool (*whole)(const struct snapshot *snapshot); /* NULL: as long as somebody answers */
    bool (*module)(const struct snapshot_module *module);
    bool page; /* the page for people, unless it is turned off */
};

static bool is_ready(const struct snapshot *snapshot)
{
    return snapshot->ready;
}

static bool is_started(const struct snapshot *snapshot)
{
    return snapshot->started;
}

static bool module_is_live(const struct snapshot_module *module)
{
    return module->state != UNIT_FAILED;
}

static bool module_is_ready(const struct snapshot_module *module)
{
    return module->ready;
}

static bool module_is_started(const struct snapshot_module *module)
{
    return module->starts > 0 && module->state != UNIT_STARTING;
}

/* A line for each module, as Kubernetes' own probes show them. */
static void respond_verbose(struct http_request *request, const struct endpoint *endpoint,
                            const struct snapshot *snapshot, bool good)
{
    cleanup_text struct text text = {0};
    struct http_response response = {.status = good ? 200 : 503,
                                     .content_type = "text/plain; charset=utf-8"};

    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];
        bool module_good = endpoint->module(module);

        text_append_format(&text, "[%s]%s %s%s\n", module_good ? "+" : "-", module->name,
                           module_good ? "ok" : unit_state_name(module->state),
                           module->essential ? "" : " (not essential)");
    }
    text_append_format(&text, "%s check %s: %s\n", endpoint->path + 1, good ? "passed" : "failed",
                       phase_name(snapshot->phase));
    response.body = text_string(&text);
    response.size = text.length;
    http_respond(request, &response);
}

static void respond_probe(struct edge *edge, struct http_request *request,
                          const struct endpoint *endpoint)
{
    bool verbose = http_request_parameter(request, "verbose") != NULL;
    const struct snapshot *snapshot =
        endpoint->whole || verbose ? take_snapshot(edge, request) : NULL;
    bool good = !endpoint->whole || (snapshot && endpoint->whole(snapshot));

    if (!endpoint->whole && !verbose)
        respond_text(request, 200, "ok");
    else if (!snapshot)
        return;
    else if (verbose)
        respond_verbose(request, endpoint, snapshot, good);
    else if (good)
        respond_text(request, 200, "ok");
    else
        respond_text(request, 503, "%s: %zu of %zu modules ready", phase_name(snapshot->phase),
                     snapshot->modules_ready, snapshot->modules_configured);
}

static void respond_module_probe(struct http_request *request, const struct endpoint *endpoint,
                                 const struct snapshot *snapshot)
{
    bool good = endpoint->module(&snapshot->modules[0]);

    if (http_request_parameter(request, "verbose"))
        respond_verbose(request, endpoint, snapshot, good);
    else if (good)
        respond_text(request, 200, "ok");
    else
        respond_text(request, 503, "%s", unit_state_name(snapshot->modules[0].state));
}

/* Documents --------------------------------------------------------------- */

static void respond_document(struct edge *edge, struct http_request *request,
                             const struct snapshot *snapshot, int status,
                             const struct document *document)
{
    documents_respond(&edge->documents, snapshot, request, status, document,
                      http_server_connections(edge->http));
}

/* The document and the status of one module. */
static void respond_module_health(struct http_request *request,
                                  const struct endpoint *endpoint _unused_,
                                  const struct snapshot *snapshot)
{
    struct http_response response = {.content_type = "application/health+json"};
    cleanup_text struct text text = {0};

    health_write(snapshot, &snapshot->modules[0], &text);
    response.status = snapshot->modules[0].health == HEALTH_FAIL ? 503 : 200;
    response.body = text_string(&text);
    response.size = text.length;
    if (text.failed)
        respond_text(request, 503, "out of memory");
    else
        http_respond(request, &response);
}

static void respond_health(struct edge *edge, struct http_request *request,
                           const struct endpoint *endpoint _unused_)
{
    const struct snapshot *snapshot = take_snapshot(edge, request);

    if (snapshot)
        respond_document(edge, request, snapshot, snapshot->health == HEALTH_FAIL ? 503 : 200,
                         &health_document);
}

static void respond_metrics(struct edge *edge, struct http_request *request,
                            const struct endpoint *endpoint _unused_)
{
    const char *accept = http_request_header(request, "Accept");
    bool open_metrics = accept && strstr(accept, "application/openmetrics-text");

    const struct snapshot *snapshot = take_snapshot(edge, request);

    if (snapshot)
        respond_document(edge, request, snapshot, 200,
                         open_metrics ? &open_metrics_document : &metrics_document);
}

static void respond_page(struct edge *edge _unused_, struct http_request *request,
                         const struct endpoint *endpoint _unused_)
{
    page_serve(request);
}

static void respond_page_state(struct edge *edge, struct http_request *request,
                               const struct endpoint *endpoint _unused_)
{
    const struct snapshot *snapshot = take_snapshot(edge, request);

    if (snapshot)
        respond_document(edge, request, snapshot, 200, &page_state_document);
}

/* Routing ----------------------------------------------------------------- */

static const struct endpoint endpoints[] = {
    /* A client that reads that answer has seen that the loop turns: however many modules there are,
       it costs the same. */
    {"/livez",
     {"module", "verbose"},
     respond_probe,
     respond_module_probe,
     .module = module_is_live},
    {"/readyz",
     {"module", "verbose"},
     respond_probe,
     respond_module_probe,
     .whole = is_ready,
     .module = module_is_ready},
    {"/startupz",
     {"module", "verbose"},
     respond_probe,
     respond_module_probe,
     .whole = is_started,
     .module = module_is_started},
    {"/health", {"module"}, respond_health, respond_module_health},
    {"/metrics", {NULL}, respond_metrics},
    {"/", {NULL}, respond_page, .page = true},
    {"/page.json", {NULL}, respond_page_state, .page = true},
};

/* *ret_module: what stands behind PATH/; NULL: there is no such thing. */
static const struct endpoint *find_endpoint(const struct edge *edge, const char *path,
                                            const char **ret_module)
{
    for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
        const struct endpoint *endpoint = &endpoints[i];
        size_t length = strlen(endpoint->path);

        if (strncmp(path, endpoint->path, length) != 0 ||
            (endpoint->page && !supervisor_config(edge->supervisor)->page))
            continue;
        *ret_module = endpoint->respond_module && path[length] == '/' ? path + length + 1 : NULL;
        if (*ret_module || path[length] == '\0')
            return endpoint;
    }
    return NULL;
}

static bool method_is_allowed(struct http_request *request)
{
    static const struct http_header allow[] = {{"Allow", "GET, HEAD"}, {NULL, NULL}};
    static const char text[] = "only GET and HEAD\n";
    struct http_response response = {.status = 405,
                                     .content_type = "text/plain; charset=utf-8",
                                     .body = text,
                                     .size = sizeof(text) - 1,
                                     .headers = allow};
    enum http_method method = http_request_method(request);

    if (method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD)
        return true;
    http_respond(request, &response);
    return false;
}

/* A snapshot with that module, and with no other; answers and returns NULL when there is none. The
 * caller frees it. */
static struct snapshot *take_module(struct edge *edge, struct http_request *request,
                                    const char *name)
{
    struct snapshot *snapshot;
    char shown[80];

    if (*name == '\0') {
        respond_text(request, 404, NAMED_NO_MODULE "; /health names all");
        return NULL;
    }
    if (snapshot_take_one(edge->supervisor, name, &snapshot) < 0) {
        respond_text(request, 503, "out of memory");
        return NULL;
    }
    if (snapshot->module_count > 0)
        return snapshot;
    snapshot_free(snapshot);
    string_copy(shown, sizeof(shown), name);
    text_sanitise(shown);
    respond_text(request, 404, "there is no module \"%s\"; /health names all", shown);
    return NULL;
}

static void serve_module(struct edge *edge, struct http_request *request,
                         const struct endpoint *endpoint, const char *name)
{
    struct snapshot *snapshot = take_module(edge, request, name);

    if (snapshot)
        endpoint->respond_module(request, endpoint, snapshot);
    snapshot_free(snapshot);
}

static void serve(struct edge *edge, struct http_request *request, const struct endpoint *endpoint,
                  const char *name)
{
    const char *parameter = http_request_parameter(request, "module");
    char foreign[400];

    if (respond_find_foreign(request, endpoint->path, endpoint->parameters, foreign,
                             sizeof(foreign)))
        respond_text(request, 400, "%s", foreign);
    else if (name && parameter)
        respond_text(request, 400, "the path names a module, and so does module=");
    else if (name || parameter)
        serve_module(edge, request, endpoint, name ? name : parameter);
    else
        endpoint->respond(edge, request, endpoint);
}

bool probes_serve(struct edge *edge, struct http_request *request)
{
    const char *module;
    const struct endpoint *endpoint = find_endpoint(edge, http_request_path(request), &module);

    if (endpoint && method_is_allowed(request))
        serve(edge, request, endpoint, module);
    return endpoint;
}

void probes_handle(struct http_request *request, void *arg)
{
    struct edge *edge = arg;
    const struct http_refusal *refusal = http_request_query_refusal(request);

    if (!host_is_ours(edge, request))
        respond_text(request, 421,
                     "this Host is not served: use an address, localhost, or an allowed-host "
                     "of the configuration");
    else if (refusal)
        respond_text(request, refusal->status, "%s", refusal->text);
    else if (!probes_serve(edge, request))
        respond_text(request, 404, "not found");
}
