/* SPDX-License-Identifier: MIT */
/* The page for people. */
#ifndef REEVE_DAEMON_EDGE_PAGE_PAGE_H
#define REEVE_DAEMON_EDGE_PAGE_PAGE_H

#include "daemon/loop/http.h"

/* Answers with it. */
void page_serve(struct http_request *request);

#endif
