/* SPDX-License-Identifier: MIT */
/*
 * The head of a request, line by line: what is in it is checked, and written anew as evhttp cannot
 * but read it.
 *
 * The new head has the target as a path, one space after each colon, and no field that says how
 * long the body is, how it is coded, or whether it is to be asked for: these are read here, and
 * http_head_finish() writes what is left of them.
 */
#ifndef REEVE_LOOP_HTTP_HEAD_H
#define REEVE_LOOP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Why a request is refused; status 0: it is not. */
struct http_refusal {
    int status;
    const char *text; /* one line, for the peer */
};

#define HTTP_ACCEPTED ((struct http_refusal){0})

static inline struct http_refusal http_refuse(int status, const char *text)
{
    return (struct http_refusal){.status = status, .text = text};
}

/* Zero-initialised it is ready. */
struct http_head {
    struct text text;
    const struct http_head_method *method; /* NULL until one that is known has been read */
    int minor;                             /* HTTP/1.minor */
    char *authority; /* of a target in the absolute form, which Host must repeat */
    uint64_t length; /* of the body, when has_length */
    bool has_version;
    bool has_host;
    bool has_length;
    bool chunked;
    bool continues; /* the peer waits to be told to send the body */
    bool expects;   /* something else that nobody here can do */
    bool closes;
    bool keeps;
};

/* Each takes a line without its end and without control characters but tabs, and cuts it into
 * pieces. */
struct http_refusal http_head_request_line(struct http_head *head, char *line);
struct http_refusal http_head_field(struct http_head *head, char *line);
/* As a field, but it is only looked at: a field behind the body changes nothing. */
struct http_refusal http_head_trailer(char *line);
/* After the last field. */
struct http_refusal http_head_end(const struct http_head *head, uint64_t body_max);

/* Ends what is written, for a body of that size. */
void http_head_finish(struct http_head *head, size_t body_size);
/* Writes a request instead that a refusal can answer, and that ends the connection. */
void http_head_replace(struct http_head *head);

void http_head_free(struct http_head *head);

#endif
