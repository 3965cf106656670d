/* SPDX-License-Identifier: MIT */
/*
 * JSON straight into a text, indented by two as jansson does it, for documents that grow with the modules: a tree of
 * values costs an allocation for each, and the loop waits.
 */
#ifndef REEVE_EDGE_JSON_WRITER_H
#define REEVE_EDGE_JSON_WRITER_H

#include <stdbool.h>

#include "base/text.h"

struct json_writer {
    struct text *text;
    unsigned depth;
    bool begun; /* what is open has an item already */
};

/* Each begins or ends what stands between brackets: "{" or "[". key: in an object; NULL in a list and at the top. */
void json_write_begin(struct json_writer *writer, const char *key, char bracket);
void json_write_end(struct json_writer *writer, char bracket);

/* A printable text (text_sanitise()). */
void json_write_string(struct json_writer *writer, const char *key, const char *value);
void json_write_integer(struct json_writer *writer, const char *key, long long value);
void json_write_real(struct json_writer *writer, const char *key, double value);

#endif
