/* SPDX-License-Identifier: MIT */
#include "daemon/edge/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/macro.h"
#include "base/shown.h"

static void take(void *arg, const char *bytes, size_t size)
{
    text_append_bytes(arg, bytes, size);
}

void json_writer_init(struct json_writer *writer, struct text *text, bool indented)
{
    *writer = (struct json_writer){.text = text, .generator = yajl_gen_alloc(NULL)};
    if (!writer->generator) {
        text->failed = true;
        return;
    }
    yajl_gen_config(writer->generator, yajl_gen_print_callback, take, text);
    yajl_gen_config(writer->generator, yajl_gen_beautify, indented);
    yajl_gen_config(writer->generator, yajl_gen_indent_string, "  ");
}

void json_writer_finish(struct json_writer *writer)
{
    if (writer->generator)
        yajl_gen_free(writer->generator);
}

/* A value that cannot be written, such as a number that is none, must not be missing in silence. */
static void check(struct json_writer *writer, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok && status != yajl_gen_generation_complete)
        writer->text->failed = true;
}

static void write_text(struct json_writer *writer, const char *string)
{
    check(writer,
          yajl_gen_string(writer->generator, (const unsigned char *)string, strlen(string)));
}

/* The key and the comma before each value. Returns whether to go on. */
static bool begin_item(struct json_writer *writer, const char *key)
{
    if (writer->generator && key)
        write_text(writer, key);
    return writer->generator;
}

void json_write_begin(struct json_writer *writer, const char *key, char bracket)
{
    if (begin_item(writer, key))
        check(writer, bracket == '{' ? yajl_gen_map_open(writer->generator)
                                     : yajl_gen_array_open(writer->generator));
}

void json_write_end(struct json_writer *writer, char bracket)
{
    if (writer->generator)
        check(writer, bracket == '{' ? yajl_gen_map_close(writer->generator)
                                     : yajl_gen_array_close(writer->generator));
}

void json_write_string(struct json_writer *writer, const char *key, const char *value)
{
    if (begin_item(writer, key))
        write_text(writer, value);
}

void json_write_integer(struct json_writer *writer, const char *key, long long value)
{
    if (begin_item(writer, key))
        check(writer, yajl_gen_integer(writer->generator, value));
}

void json_write_real(struct json_writer *writer, const char *key, double value)
{
    char number[40];

    if (!begin_item(writer, key))
        return;
    /* yajl_gen_double() writes 20 digits: 0.1 would be 0.10000000000000000555. */
    snprintf(number, sizeof(number), "%.12g", value);
    check(writer, isfinite(value) ? yajl_gen_number(writer->generator, number, strlen(number))
                                  : yajl_gen_invalid_number);
}

void json_write_public(struct json_writer *writer, const char *key, const char *text)
{
    char line[1200];
    size_t length = MIN(text_first_line(text), sizeof(line) - 1);

    memcpy(line, text, length);
    line[length] = '\0';
    text_sanitise(line);
    json_write_string(writer, key, line);
}
