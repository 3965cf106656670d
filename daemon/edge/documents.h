/* SPDX-License-Identifier: MIT */
/* Documents that are written once for a snapshot.
 *
 * Documents such as health and metrics take long to write. Each is written at most once for a
 * snapshot and kept with it, so that a burst of probes costs one writing, and a flood of requests
 * cannot keep the loop from its work. They are as true as the snapshot is: a new one forgets them.
 */
#ifndef REEVE_DAEMON_EDGE_DOCUMENTS_H
#define REEVE_DAEMON_EDGE_DOCUMENTS_H

#include <stddef.h>

#include "base/text.h"
#include "daemon/control/snapshot.h"
#include "daemon/loop/http.h"

struct documents;
struct run_history;
struct supervisor;

/* One document, of whoever writes it. */
struct document {
    const char *type;
    /* Appends it. */
    void (*write)(const struct documents *documents, const struct snapshot *snapshot,
                  size_t connections, struct text *text);
};

#define DOCUMENTS_MAX 8

/* The last snapshot taken, with what was written of it. Zeroed it is empty. */
struct documents {
    struct supervisor *supervisor;
    const struct run_history *history; /* of page/run_history.h; NULL: there is none */
    struct snapshot *snapshot;         /* look at it through documents_snapshot() */
    struct {
        const struct document *document;
        struct text text; /* empty until somebody asks */
    } written[DOCUMENTS_MAX];
};

/* A snapshot that is fresh enough to be shown; the old one when there is no memory; NULL only when
 * there never was any. Valid until the next call. */
const struct snapshot *documents_snapshot(struct documents *documents);

/* Answers with a document of the snapshot, which documents_snapshot() has given. connections: how
 * many the server has. */
void documents_respond(struct documents *documents, const struct snapshot *snapshot,
                       struct http_request *request, int status, const struct document *document,
                       size_t connections);

void documents_clear(struct documents *documents);

#endif
