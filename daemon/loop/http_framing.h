/* SPDX-License-Identifier: MIT */
/*
 * Where a request ends. evhttp takes the first of several lengths, and a coding that it does not know
 * for none; somebody before us may have read them otherwise, and then what is a body for the one is
 * a request for the other. Such a request is refused, and its connection with it.
 */
#ifndef REEVE_LOOP_HTTP_FRAMING_H
#define REEVE_LOOP_HTTP_FRAMING_H

#include <stdbool.h>

struct evhttp_request;

/* Whether there can be no two opinions on where the request ends, and on which host it is for. */
bool http_framing_is_clear(struct evhttp_request *request);

#endif
