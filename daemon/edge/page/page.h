/* SPDX-License-Identifier: MIT */
/* The page for people, and what it shows. */
#ifndef REEVE_DAEMON_EDGE_PAGE_PAGE_H
#define REEVE_DAEMON_EDGE_PAGE_PAGE_H

#include "daemon/edge/documents.h"

void page_serve(struct http_request *request);

extern const struct document page_document;

#endif
