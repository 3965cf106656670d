/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server on libevent's evhttp, with the limits that evhttp lacks.
 *
 * evhttp parses requests and writes answers. Before it, each request is framed (http_framing.h):
 * one that is ambiguous, too large or beyond what is supported is answered here, and ends its
 * connection.
 *
 * Around it each connection has a record with a deadline
 * for what it is doing: waiting for a request (idle), sending us one (from its first byte to its
 * last), or taking our answer. A connection that misses its deadline is shut down. When there are
 * too many, the one idle for longest makes place, and when none is idle, accepting pauses. As many
 * are too many as leave too few descriptors (descriptors.h).
 */
#ifndef REEVE_LOOP_HTTP_H
#define REEVE_LOOP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/loop/http_options.h"

struct loop;
struct http_server;
struct http_refusal;

/* Returns 0 or -ENOMEM. */
int http_server_create(struct loop *loop, const struct http_options *options,
                       struct http_server **ret_server);
/* Ends all connections at once, once they were given what they take without waiting. No request may
 * be unanswered. */
void http_server_destroy(struct http_server *server);

/* Accepts from a listening socket, which the server takes over in any case. Returns 0 or a negative
 * errno. */
int http_server_add_listener(struct http_server *server, int fd);
/* Listens nowhere any more; connections go on. */
void http_server_remove_listeners(struct http_server *server);

/*
 * Stops listening, ends idle connections, lets requests under way be answered, and those that come
 * at once on new connections, and calls done (once, never from within this call) when no connection
 * is left or after at most timeout ns, when those left are cut.
 */
void http_server_drain(struct http_server *server, int64_t timeout, void (*done)(void *arg),
                       void *arg);

/* For want of so many descriptors, ends clients of servers that yield, in the order in which others
 * make place for new ones, but for a few of each server. Returns how many will be free for that in
 * the next turns, with those that were about to. */
size_t http_yield(size_t count);
/* How many clients that would do for. */
size_t http_yieldable(void);
/* How many descriptors are to stay free: the reserve, without what clients have of their shares of
 * it already. */
unsigned http_descriptors_kept(void);

size_t http_server_connections(const struct http_server *server);
/* Those of them whose request is whole and has no answer yet. */
size_t http_server_working(const struct http_server *server);

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_POST, HTTP_METHOD_OTHER };

enum http_method http_request_method(const struct http_request *request);
/* The decoded path; "" when it could not be decoded. */
const char *http_request_path(const struct http_request *request);
/* A header's value or NULL. */
const char *http_request_header(const struct http_request *request, const char *name);
/* Why the query cannot be taken, which the handler is to answer; NULL: it can. */
const struct http_refusal *http_request_query_refusal(struct http_request *request);
/* A query parameter's decoded value; "" for one without; NULL when it is not there, or the query is
 * refused. */
const char *http_request_parameter(struct http_request *request, const char *name);
/* The decoded name of a parameter that is not among those known, whose list a NULL ends; NULL:
 * there is none. */
const char *http_request_foreign_parameter(struct http_request *request, const char *const *known);
/* The body, not terminated; valid until the answer. */
const void *http_request_body(struct http_request *request, size_t *ret_size);
/* The socket, for SO_PEERCRED; -1 when the peer is gone. */
int http_request_fd(const struct http_request *request);

struct http_header {
    const char *name;
    const char *value;
};

struct http_response {
    int status;
    const char *content_type; /* NULL with an empty body */
    const void *body;
    size_t size;
    const struct http_header *headers; /* further ones, ended by a NULL name; may be NULL */
};

/* The future of a connection whose request came before. */
struct http_resumption {
    bool closes; /* http_request_closes() said so */
    /* Called with a request that stands for the one that came, to be answered later; it has no
     * path, no body and no parameters. */
    void (*came)(struct http_request *request, void *arg);
    void *arg;
};

/* Answers and ends the request, also when its peer is gone. A HEAD gets the headers only. */
void http_respond(struct http_request *request, const struct http_response *response);

#endif
