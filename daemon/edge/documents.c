/* SPDX-License-Identifier: MIT */
#include "daemon/edge/documents.h"

#include "base/log.h"
#include "base/macro.h"
#include "daemon/control/snapshot_take.h"
#include "daemon/edge/respond.h"

/* Of the last snapshot. */
static void forget(struct documents *documents)
{
    for (size_t i = 0; i < DOCUMENTS_MAX; i++)
        text_free(&documents->written[i].text);
}

const struct snapshot *documents_snapshot(struct documents *documents)
{
    struct snapshot *snapshot;

    if (documents->snapshot && !snapshot_is_stale(documents->snapshot, documents->supervisor))
        return documents->snapshot;
    if (snapshot_take(documents->supervisor, &snapshot) < 0) {
        log_error("no memory for a snapshot: answers are from an old one");
        return documents->snapshot;
    }
    forget(documents);
    snapshot_free(documents->snapshot);
    documents->snapshot = snapshot;
    return snapshot;
}

/* Its place; there are never more kinds than places. */
static struct text *find(struct documents *documents, const struct document *document)
{
    size_t i = 0;

    while (i < DOCUMENTS_MAX - 1 && documents->written[i].document &&
           documents->written[i].document != document)
        i++;
    documents->written[i].document = document;
    return &documents->written[i].text;
}

void documents_respond(struct documents *documents, const struct snapshot *snapshot,
                       struct http_request *request, int status, const struct document *document,
                       size_t connections)
{
    struct text *text = find(documents, document);
    struct http_response response = {.status = status, .content_type = document->type};

    if (text->length == 0)
        document->write(documents, snapshot, connections, text);
    if (text->failed) {
        text_free(text);
        respond_text(request, 503, "out of memory");
        return;
    }
    response.body = text_string(text);
    response.size = text->length;
    http_respond(request, &response);
}

void documents_clear(struct documents *documents)
{
    forget(documents);
    snapshot_free(TAKE_PTR(documents->snapshot));
}
