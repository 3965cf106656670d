/* SPDX-License-Identifier: MIT */
/*
 * What is known of one HTTP connection beside evhttp, and its deadlines.
 *
 * Operation: evhttp asks for a bufferevent for each connection it accepted and gets a filter. Its
 * input callback passes everything on and sees the first byte of a request; its output callback
 * writes straight to the socket, so that evhttp takes an answer for sent when the kernel has it;
 * the free callback of its context is the end of the connection, whoever ends it.
 */
#ifndef REEVE_LOOP_HTTP_CONNECTION_H
#define REEVE_LOOP_HTTP_CONNECTION_H

#include "base/list.h"
#include "daemon/loop/http.h"

struct bufferevent;
struct event_base;
struct http_connection;

/* All connections of a server, and which descriptor is whose. */
struct http_connections {
    struct event_base *base;
    const struct http_options *options;
    struct list list; /* the one whose state changed longest ago first */
    size_t count;
    struct http_connection **by_fd;
    size_t by_fd_size;
    void (*ended)(void *arg); /* after each end */
    void *arg;
};

/* Makes the bufferevent of a new connection; NULL when there is no memory. */
struct bufferevent *http_connection_create(struct http_connections *connections);

/* The connection's request arrived whole and is being worked on, for as long as that takes. */
void http_connection_working(struct http_connections *connections, int fd);
/* The answer is being sent. */
void http_connection_writing(struct http_connections *connections, int fd);
/* The answer was sent; a next request may already be there. */
void http_connection_done(struct http_connections *connections, int fd);

/* Ends the connection that has been idle for longest. Returns false when none is idle. */
bool http_connections_shed(struct http_connections *connections);
/* Ends all that are idle, or all. */
void http_connections_cut(struct http_connections *connections, bool idle_only);

void http_connections_finish(struct http_connections *connections);

#endif
