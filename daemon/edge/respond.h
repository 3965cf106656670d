/* SPDX-License-Identifier: MIT */
/* Answers to requests, and what is wrong with a query. */
#ifndef REEVE_DAEMON_EDGE_RESPOND_H
#define REEVE_DAEMON_EDGE_RESPOND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "daemon/loop/http.h"

#define RESPOND_JSON "application/json"

/* Answers with one line of text. */
void respond_text(struct http_request *request, int status, const char *format, ...)
    printf_like(3, 4);
/* The control socket's {"error": TEXT, "code": ERRNO NAME}; code is a negative errno. */
void respond_error(struct http_request *request, int status, int code, const char *format, ...)
    printf_like(4, 5);
/* Answers with JSON; takes over the value. NULL, for want of memory, answers 503. */
void respond_json(struct http_request *request, int status, const char *type, json_t *json);

/* The parameters that a path takes in its query, ended by a NULL. */
#define RESPOND_PARAMETERS 5
/* Whether the query has a parameter that the path does not take: it would be passed over in
 * silence, and the answer be to another question. If so, says which, and what the path takes. */
bool respond_find_foreign(struct http_request *request, const char *path,
                          const char *const parameters[RESPOND_PARAMETERS], char *ret_text,
                          size_t size);

/* Nanoseconds as the seconds of our JSON. */
json_t *json_seconds(int64_t ns);

#endif
