/* SPDX-License-Identifier: MIT */
/*
 * The documents that take long to write: health and metrics. Each is written at most once for a
 * snapshot and kept with it, so that a burst of probes costs one writing, and a flood of requests
 * cannot keep the loop from its work. They are as true as the snapshot is: edge_snapshot() forgets
 * them with it.
 */
#include "daemon/edge/edge_internal.h"

static int append_bytes(const char *bytes, size_t size, void *arg)
{
    text_append_bytes(arg, bytes, size);
    return 0;
}

/* Takes over the value. */
static void write_json(struct text *text, json_t *json)
{
    if (!json || json_dump_callback(json, append_bytes, text, JSON_INDENT(2)) < 0)
        text->failed = true;
    json_decref(json);
    /* A document's last line ends as every line does: kind to a terminal. */
    text_append(text, "\n");
}

static void write_health(struct edge *edge _unused_, const struct snapshot *snapshot,
                         struct text *text)
{
    health_write(snapshot, NULL, text);
}

static void write_page(struct edge *edge _unused_, const struct snapshot *snapshot,
                       struct text *text)
{
    write_json(text, page_json(snapshot));
}

static void write_metrics(struct edge *edge, const struct snapshot *snapshot, struct text *text)
{
    metrics_write(snapshot, http_server_connections(edge->http), false, text);
}

static void write_open_metrics(struct edge *edge, const struct snapshot *snapshot,
                               struct text *text)
{
    metrics_write(snapshot, http_server_connections(edge->http), true, text);
}

static const struct {
    const char *type;
    void (*write)(struct edge *edge, const struct snapshot *snapshot, struct text *text);
} documents[] = {
    [DOCUMENT_HEALTH] = {"application/health+json", write_health},
    [DOCUMENT_METRICS] = {"text/plain; version=0.0.4; charset=utf-8", write_metrics},
    [DOCUMENT_OPEN_METRICS] = {"application/openmetrics-text; version=1.0.0; charset=utf-8",
                               write_open_metrics},
    [DOCUMENT_PAGE] = {"application/json", write_page},
};

_Static_assert(ARRAY_SIZE(documents) == DOCUMENT_COUNT, "each document has its row");

void edge_respond_document(struct edge *edge, struct http_request *request, int status,
                           enum document document)
{
    struct text *text = &edge->documents[document];
    struct http_response response = {.status = status, .content_type = documents[document].type};

    if (text->length == 0)
        documents[document].write(edge, edge->snapshot, text);
    if (text->failed) {
        text_free(text);
        edge_respond_text(request, 503, "out of memory");
        return;
    }
    response.body = text_string(text);
    response.size = text->length;
    http_respond(request, &response);
}

void edge_forget_documents(struct edge *edge)
{
    for (size_t i = 0; i < DOCUMENT_COUNT; i++)
        text_free(&edge->documents[i]);
}
