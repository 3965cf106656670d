/* SPDX-License-Identifier: MIT */
/*
 * The query of a request, as forms write it: NAME=VALUE&NAME=VALUE, percent-encoded, with + for a
 * blank. A parameter may lack its "=". Nothing is left out in silence: a query with a parameter
 * that cannot be taken as it was meant is refused as a whole.
 */
#ifndef REEVE_LOOP_HTTP_QUERY_H
#define REEVE_LOOP_HTTP_QUERY_H

#include <stddef.h>

#include "daemon/loop/http_head.h"

#define HTTP_QUERY_PARAMETERS 16

/* Zero-initialised it has no parameters. */
struct http_query {
    char *text; /* what names and values are in */
    struct {
        const char *name;
        const char *value;
    } parameters[HTTP_QUERY_PARAMETERS];
    size_t count;
};

/* text may be NULL: there is no query. One that is refused has no parameters. Free it in either
 * case. */
struct http_refusal http_query_parse(struct http_query *query, const char *text);

/* A parameter's value, whatever the case of its name; "" for one without; NULL when it is not
 * there. */
const char *http_query_find(const struct http_query *query, const char *name);

/* The name of the first parameter that is not among those known, whose list a NULL ends; NULL: all
 * are. */
const char *http_query_find_foreign(const struct http_query *query, const char *const *known);

void http_query_free(struct http_query *query);

#endif
