/* SPDX-License-Identifier: MIT */
/* One request: what it asks for, and its answer. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/loop/http_framing.h"
#include "daemon/loop/http_internal.h"
#include "daemon/loop/loop.h"

/* Requests ---------------------------------------------------------------- */

static int request_fd(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);

    return connection ? bufferevent_getfd(evhttp_connection_get_bufferevent(connection)) : -1;
}

/* The connection ends with it, as the request that stands for the refused one says so. */
static void refuse_request(struct http_request *request, const struct http_refusal *refusal)
{
    char line[128];
    struct http_response response = {
        .status = refusal->status, .content_type = "text/plain; charset=utf-8", .body = line};

    response.size = (size_t)snprintf(line, sizeof(line), "%s\n", refusal->text);
    http_respond(request, &response);
}

void http_request_came(struct evhttp_request *evrequest, void *arg)
{
    struct http_server *server = arg;
    struct http_request *request = calloc(1, sizeof(*request));
    int fd = request_fd(evrequest);
    const struct http_refusal *refusal;

    if (!request) {
        evhttp_send_error(evrequest, HTTP_SERVUNAVAIL, NULL);
        return;
    }
    request->server = server;
    request->request = evrequest;
    refusal = http_connection_working(&server->connections, fd);
    if (refusal) {
        refuse_request(request, refusal);
    } else if (server->resumption) {
        server->resumed = true;
        server->resumption->came(request, server->resumption->arg);
    } else {
        server->options.handler(request, server->options.arg);
    }
    http_connection_waiting(&server->connections, fd);
}

enum http_method http_request_method(const struct http_request *request)
{
    switch (evhttp_request_get_command(request->request)) {
    case EVHTTP_REQ_GET:
        return HTTP_METHOD_GET;
    case EVHTTP_REQ_HEAD:
        return HTTP_METHOD_HEAD;
    case EVHTTP_REQ_POST:
        return HTTP_METHOD_POST;
    default:
        return HTTP_METHOD_OTHER;
    }
}

const char *http_request_path(const struct http_request *request)
{
    struct http_request *writable = (struct http_request *)(uintptr_t)request;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    size_t size;

    if (!request->path && path) {
        writable->path = evhttp_uridecode(path, 0, &size);
        /* A %00 in it would hide the rest from every string function. */
        if (request->path && strlen(request->path) != size)
            writable->path[0] = '\0';
    }
    return request->path ? request->path : "";
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->request), name);
}

static void parse_query(struct http_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->request);

    if (!request->query_parsed)
        request->query_refusal =
            http_query_parse(&request->query, uri ? evhttp_uri_get_query(uri) : NULL);
    request->query_parsed = true;
}

const struct http_refusal *http_request_query_refusal(struct http_request *request)
{
    parse_query(request);
    return request->query_refusal.status ? &request->query_refusal : NULL;
}

const char *http_request_parameter(struct http_request *request, const char *name)
{
    parse_query(request);
    return http_query_find(&request->query, name);
}

const char *http_request_foreign_parameter(struct http_request *request, const char *const *known)
{
    parse_query(request);
    return http_query_find_foreign(&request->query, known);
}

const void *http_request_body(struct http_request *request, size_t *ret_size)
{
    struct evbuffer *buffer = evhttp_request_get_input_buffer(request->request);

    *ret_size = evbuffer_get_length(buffer);
    if (*ret_size == 0)
        return "";
    return evbuffer_pullup(buffer, -1);
}

int http_request_fd(const struct http_request *request)
{
    return request_fd(request->request);
}

/* Answers ----------------------------------------------------------------- */

/* Where evhttp knows none but "Client Error"; else NULL. */
static const char *reason_phrase(int status)
{
    switch (status) {
    case 421:
        return "Misdirected Request";
    case 431:
        return "Request Header Fields Too Large";
    default:
        return NULL;
    }
}

static void answer_sent(struct evhttp_request *evrequest, void *arg)
{
    struct http_server *server = arg;

    http_connection_done(&server->connections, request_fd(evrequest));
    /* Somebody may be waiting in the backlog. */
    if (http_server_is_full(server))
        http_connections_shed(&server->connections);
}

static void add_headers(struct http_request *request, const struct http_response *response)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->request);
    char length[24];

    if (response->content_type)
        evhttp_add_header(headers, "Content-Type", response->content_type);
    snprintf(length, sizeof(length), "%zu", response->size);
    evhttp_add_header(headers, "Content-Length", length);
    /* The answers change by the second, and are for nobody to keep or to guess at. */
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    if (request->server->draining)
        evhttp_add_header(headers, "Connection", "close");
    for (const struct http_header *h = response->headers; h && h->name; h++)
        evhttp_add_header(headers, h->name, h->value);
}

void http_respond(struct http_request *request, const struct http_response *response)
{
    struct http_server *server = request->server;
    struct evbuffer *body = evbuffer_new();
    bool head = http_request_method(request) == HTTP_METHOD_HEAD;

    add_headers(request, response);
    if (body && !head && response->size > 0)
        evbuffer_add(body, response->body, response->size);
    http_connection_writing(&server->connections, request_fd(request->request));
    evhttp_request_set_on_complete_cb(request->request, answer_sent, server);
    evhttp_send_reply(request->request, response->status, reason_phrase(response->status), body);
    if (body)
        evbuffer_free(body);
    http_query_free(&request->query);
    free(request->path);
    free(request);
}
