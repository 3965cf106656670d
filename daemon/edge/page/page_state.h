/* SPDX-License-Identifier: MIT */
/*
 * The state that the page's script asks for again and again (/page.json). Like the page it is for
 * everybody: read only, and no more than /health and /metrics say, so an error is its first line.
 * It is a document of the snapshot: no reader of the page, however many there are, asks a host for
 * anything.
 *
 * It is compact, as there may be thousands of tasks: a member that has nothing to say is left out.
 * Times are seconds.
 */
#ifndef REEVE_DAEMON_EDGE_PAGE_PAGE_STATE_H
#define REEVE_DAEMON_EDGE_PAGE_PAGE_STATE_H

#include "daemon/edge/documents.h"

extern const struct document page_state_document;

#endif
