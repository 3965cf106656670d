/* SPDX-License-Identifier: MIT */
/*
 * JSON straight into a text, indented, for documents that grow with the modules: a tree of values
 * costs an allocation for each, and the loop waits. libyajl writes it; this adds the keys, and that
 * what goes wrong is the text's failure.
 */
#ifndef REEVE_DAEMON_EDGE_JSON_WRITER_H
#define REEVE_DAEMON_EDGE_JSON_WRITER_H

#include <stdbool.h>

#include "base/text.h"

struct yajl_gen_t;

struct json_writer {
    struct text *text;
    struct yajl_gen_t *generator; /* NULL without memory: then nothing is written */
};

/* indented: for people too; else no byte is spent. */
void json_writer_init(struct json_writer *writer, struct text *text, bool indented);
/* The document is complete. Without memory, or if it is none, the text has failed. */
void json_writer_finish(struct json_writer *writer);

/* Each begins or ends what stands between brackets: "{" or "[". key: in an object; NULL in a list
 * and at the top. */
void json_write_begin(struct json_writer *writer, const char *key, char bracket);
void json_write_end(struct json_writer *writer, char bracket);

/* The part of a text that everybody may see: its first line. */
void json_write_public(struct json_writer *writer, const char *key, const char *text);
/* A printable text (text_sanitise()). */
void json_write_string(struct json_writer *writer, const char *key, const char *value);
void json_write_integer(struct json_writer *writer, const char *key, long long value);
void json_write_real(struct json_writer *writer, const char *key, double value);

#endif
