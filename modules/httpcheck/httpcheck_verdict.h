/* SPDX-License-Identifier: MIT */
/* One transfer of a fetch: httpcheck_fetch.c makes it, and it is judged here. */
#ifndef REEVE_MODULES_HTTPCHECK_VERDICT_H
#define REEVE_MODULES_HTTPCHECK_VERDICT_H

#include <curl/curl.h>

#include "modules/httpcheck/httpcheck_target.h"

struct transfer {
    const struct httpcheck *check;
    const struct address *address; /* of the target, or where it redirects */
    CURL *curl;
    char *window; /* of the body: what may be the begin of the text, and the newest piece; NULL:
                     none is searched for */
    size_t overlap;
    size_t seen;
    bool found;
    bool answered;     /* the headers of an answer have come to their end */
    bool enough;       /* nothing that is still to come can change the verdict */
    int socket_error;  /* why there was no socket; 0: there was */
    char variable[32]; /* of the environment, which names the proxy that is used */
    char detail[CURL_ERROR_SIZE];
    char *location;
};

/* For libcurl; arg: the transfer. */
size_t verdict_take_header(char *data, size_t size, size_t count, void *arg);
size_t verdict_take_body(char *data, size_t size, size_t count, void *arg);

/* Sets the transfer's location if the answer leads elsewhere and that is followed. */
void verdict_take_location(struct transfer *transfer);
/* Sets the fetch's error unless all is well; code: of the transfer. */
void verdict_judge(struct fetch *fetch, struct transfer *transfer, CURLcode code);
/* An error by way of a proxy names it. */
void verdict_name_proxy(struct fetch *fetch, const struct transfer *transfer);

#endif
