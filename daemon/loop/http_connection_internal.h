/* SPDX-License-Identifier: MIT */
/* The record of a connection, for http_connection.c, for what looks at all (http_connections.c),
 * and for its handing over (http_handover.c). */
#ifndef REEVE_LOOP_HTTP_CONNECTION_INTERNAL_H
#define REEVE_LOOP_HTTP_CONNECTION_INTERNAL_H

#include "daemon/loop/http_connection.h"
#include "daemon/loop/http_framing.h"

struct http_connection {
    struct http_connections *connections;
    struct list list;
    struct bufferevent *socket;
    struct bufferevent *filter;
    struct event *writable; /* more of the answer may be written */
    struct event *closed;   /* the peer has gone; only while it waits for long */
    struct event *keeper;   /* see keep_watch() */
    bool keeper_fired;      /* since it was added or reading began again */
    struct http_framing framing;
    enum http_connection_state state;
    bool over;     /* counted as that */
    bool movable;  /* its request waits, and holds up no live upgrade */
    int64_t since; /* in this state */
    int fd;        /* in by_fd; -1 until the first byte came */
};

/* Whether evhttp has freed it: it is not to be touched any more. */
bool http_connection_is_over(const struct http_connection *connection);

/* Shuts it down. */
void http_connection_cut(struct http_connection *connection);

/* The timer of those in one state is to expire in ns. */
void http_connection_queue_arm(struct http_connection_queue *queue, int64_t ns);

/* Reads again, or not, as its state wants it. */
void http_connection_resume(struct http_connection *connection);

#endif
