/* SPDX-License-Identifier: MIT */
/* The records of a server, for the files that make it up: http.c listens, http_request.c answers.
 */
#ifndef REEVE_LOOP_HTTP_INTERNAL_H
#define REEVE_LOOP_HTTP_INTERNAL_H

#include "base/list.h"
#include "daemon/loop/http.h"
#include "daemon/loop/http_connection.h"
#include "daemon/loop/http_query.h"

struct evconnlistener;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;
struct http_resumption;
struct loop_timer;

struct listener {
    struct list list;
    struct evconnlistener *listener;
    struct evhttp_bound_socket *bound;
};

struct http_server {
    struct list servers;
    struct loop *loop;
    struct evhttp *http;
    struct http_options options;
    struct http_connections connections;
    struct list listeners;
    struct loop_timer *accept_again;
    /* Given up at EMFILE, so that the waiting peer can at least be told by a close. */
    int spare_fd;
    int64_t refusal_told; /* monotonic, when the log last heard that accepting failed; 0: never */
    unsigned refusals;    /* since then */
    /* While one is adopted: who gets the request that was made for it, and whether it has come. */
    const struct http_resumption *resumption;
    bool resumed;
    bool draining;
    bool drained;
    struct loop_timer *drain_timer;
    struct loop_timer *new_timer; /* for those that have connected and not yet asked */
    void (*done)(void *arg);
    void *done_arg;
};

struct http_request {
    struct http_server *server;
    struct evhttp_request *request;
    struct http_query query;
    struct http_refusal query_refusal;
    bool query_parsed;
    char *path;
};

/* All of this process, linked by `servers`. */
struct list *http_servers(void);

/* Accepts no more; until accept_again expires. */
void http_server_stop_accepting(struct http_server *server);

/* http_room.c: whether it has all the connections that it may have, by its options or for want of
 * descriptors. */
bool http_server_is_full(struct http_server *server);
/* The same after it has accepted one, for which another server may have had to yield. */
bool http_server_has_room(struct http_server *server);

/* http_request.c: evhttp has one; arg: the server. */
void http_request_came(struct evhttp_request *request, void *arg);

#endif
