/* SPDX-License-Identifier: MIT */
/* The options of a server of HTTP: its limits, and who answers. */
#ifndef REEVE_DAEMON_LOOP_HTTP_OPTIONS_H
#define REEVE_DAEMON_LOOP_HTTP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;

/* Called for every request that is not refused, of whatever method and path; must lead to exactly
 * one http_respond(), at once or later. */
typedef void (*http_handler)(struct http_request *request, void *arg);

struct http_options {
    size_t connections_max;
    bool yields;       /* few descriptors left: its clients go before others go without */
    size_t header_max; /* bytes of the request line, all headers and trailers */
    size_t body_max;
    int64_t request_timeout; /* from the first byte of a request to its last */
    int64_t write_timeout;   /* for the peer to take an answer */
    int64_t idle_timeout;    /* between requests, and before the first */
    http_handler handler;
    void *arg;
};

#endif
