/* SPDX-License-Identifier: MIT */
/*
 * The handing over of an HTTP server's connections to the program that follows in the same process.
 *
 * A connection that waits for a request is only a descriptor: what its peer sends meanwhile stays
 * with the kernel. One whose request waits for an answer, and that has been said to be movable, is
 * one too, once somebody knows what it waits for. All others are to come to their end first.
 */
#ifndef REEVE_LOOP_HTTP_HANDOVER_H
#define REEVE_LOOP_HTTP_HANDOVER_H

#include "daemon/loop/http.h"

/* Accepts no connection and begins to read no request, until it is released; what is under way goes
 * on. */
void http_server_hold(struct http_server *server);
void http_server_release(struct http_server *server);

/* While held: whether every connection can be handed over. */
bool http_server_is_quiet(const struct http_server *server);

/* The program that follows can answer this request, which is to be answered later. If its peer has
 * sent more behind it, its answer is waited for all the same. */
void http_request_set_movable(struct http_request *request);
/* The request is answered before anybody follows. */
void http_request_set_harmless(struct http_request *request);
/* Whether the connection is to be closed after its answer. */
bool http_request_closes(const struct http_request *request);

/* Calls fn for each listener, and for each connection that can be handed over and is not waiting.
 */
void http_server_each(const struct http_server *server,
                      void (*fn)(int fd, bool listener, void *arg), void *arg);

/* Whether the descriptors of all listeners, and of connections that can be handed over, outlive an
 * exec. */
void http_server_keep_descriptors(struct http_server *server, bool keep);

/*
 * Takes over a connection, fd in any case; resumption is NULL for one that waits for a request. The
 * server must be held and have no listeners yet. Turns the loop, in which nothing else happens.
 * Returns 0 or a negative errno.
 */
int http_server_adopt(struct http_server *server, int fd, const struct http_resumption *resumption);

#endif
