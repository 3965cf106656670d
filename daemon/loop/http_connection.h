/* SPDX-License-Identifier: MIT */
/*
 * The record of one HTTP connection beside evhttp, and its deadlines.
 *
 * Operation: evhttp asks for a bufferevent for each connection it accepted and gets a filter. Its
 * input callback frames requests (http_framing.h) and hands evhttp one at a time, when it is whole;
 * one that is refused is replaced by another that stands for it, so that evhttp sees no byte of it
 * and sends the answer as any other. Its output callback writes straight to the socket, so that
 * evhttp takes an answer for sent when the kernel has it; the free callback of its context is the
 * end of the connection, whoever ends it.
 *
 * A connection is read only while it waits for a request. So what a peer sends ahead stays with the
 * kernel, or as the rest of what was read at once in the socket's bufferevent, and a peer that
 * closes its half after the request gets its answer nevertheless.
 */
#ifndef REEVE_LOOP_HTTP_CONNECTION_H
#define REEVE_LOOP_HTTP_CONNECTION_H

#include <sys/time.h>

#include "base/list.h"
#include "daemon/loop/http_options.h"

struct bufferevent;
struct event;
struct event_base;
struct http_connection;
struct http_refusal;

enum http_connection_state {
    HTTP_CONNECTION_NEW,     /* waits for its first byte */
    HTTP_CONNECTION_IDLE,    /* had an answer, and waits for a next request */
    HTTP_CONNECTION_READING, /* some of a request has come */
    HTTP_CONNECTION_WORKING, /* the request is whole and waits for its answer */
    HTTP_CONNECTION_WRITING, /* the peer is to take the answer */
    HTTP_CONNECTION_CUT,     /* was shut down; evhttp will notice and end it */
    HTTP_CONNECTION_STATES,
};

/* Those in one state, the longest first. They all have the same time, so that one timer, for the
 * first, does for all. */
struct http_connection_queue {
    struct list list;
    int64_t timeout; /* 0: none */
    struct event *timer;
};

/* All connections of a server, and which descriptor is whose. */
struct http_connections {
    struct event_base *base;
    const struct http_options *options;
    struct http_connection_queue queues[HTTP_CONNECTION_STATES];
    size_t count;
    size_t over;                    /* of these; see http_connections_over() */
    struct timeval over_at;         /* the turn in which they were counted */
    bool held;                      /* no further request is read: see http_handover.h */
    struct http_connection *newest; /* the one that was made last, while it lives */
    struct http_connection **by_fd;
    size_t by_fd_size;
    void (*ended)(void *arg); /* after each end */
    void *arg;
};

/* Readies what has base, options, ended and arg; the rest must be 0. Returns 0 or -ENOMEM; finish
 * it in either case. */
int http_connections_init(struct http_connections *connections);
void http_connections_finish(struct http_connections *connections);

/* Makes the bufferevent of a new connection; NULL when there is no memory. */
struct bufferevent *http_connection_create(struct http_connections *connections);

/* The connection's request arrived whole and is being worked on, for as long as that takes. Returns
 * why it is to be refused; NULL when it is not. */
const struct http_refusal *http_connection_working(struct http_connections *connections, int fd);
/* Its request does not hold up a live upgrade. With alone, only if nothing has come behind it: that
 * is in our memory, which goes. */
void http_connection_set_movable(struct http_connections *connections, int fd, bool alone);
/* The request has not been answered in its own turn: from now on it is watched for a peer that goes
 * away. Does nothing when it has. */
void http_connection_waiting(struct http_connections *connections, int fd);
/* The answer is being sent. */
void http_connection_writing(struct http_connections *connections, int fd);
/* The answer was sent; a next request may already be there. */
void http_connection_done(struct http_connections *connections, int fd);

/* How many of them evhttp has freed by this turn. They are gone in the next one, and their places
 * free. */
size_t http_connections_over(struct http_connections *connections);

/*
 * Ends one to make place: of those that never sent a byte the oldest; then the one that has been
 * idle, or sending its request, for longest; then the one that has been taking its answer for
 * longest. One that waits for its answer is never ended. So neither a flood of connections nor one
 * of requests that are never whole gets at a client that asks. Returns false when there is none to
 * end.
 */
bool http_connections_shed(struct http_connections *connections);
/* Ends all in the states from first to last. */
void http_connections_cut(struct http_connections *connections, enum http_connection_state first,
                          enum http_connection_state last);

#endif
