/* SPDX-License-Identifier: MIT */
#include "daemon/edge/json_writer.h"

#include <stdio.h>
#include <string.h>

static void append_quoted(struct text *text, const char *string)
{
    text_append_bytes(text, "\"", 1);
    for (;;) {
        size_t plain = 0;

        while ((unsigned char)string[plain] >= ' ' && string[plain] != '"' && string[plain] != '\\')
            plain++;
        text_append_bytes(text, string, plain);
        string += plain;
        if (*string == '\0')
            break;
        if (*string == '"' || *string == '\\')
            text_append_format(text, "\\%c", *string);
        else
            text_append_format(text, "\\u%04X", (unsigned)(unsigned char)*string);
        string++;
    }
    text_append_bytes(text, "\"", 1);
}

static void new_line(struct json_writer *writer)
{
    static const char blanks[] = "                                ";
    unsigned left = 2 * writer->depth;

    text_append_bytes(writer->text, "\n", 1);
    for (; left > sizeof(blanks) - 1; left -= (unsigned)sizeof(blanks) - 1)
        text_append_bytes(writer->text, blanks, sizeof(blanks) - 1);
    text_append_bytes(writer->text, blanks, left);
}

/* What comes before each value. */
static void begin_item(struct json_writer *writer, const char *key)
{
    if (writer->begun)
        text_append_bytes(writer->text, ",", 1);
    if (writer->depth > 0)
        new_line(writer);
    writer->begun = true;
    if (!key)
        return;
    append_quoted(writer->text, key);
    text_append_bytes(writer->text, ": ", 2);
}

void json_write_begin(struct json_writer *writer, const char *key, char bracket)
{
    begin_item(writer, key);
    text_append_bytes(writer->text, &bracket, 1);
    writer->depth++;
    writer->begun = false;
}

void json_write_end(struct json_writer *writer, char bracket)
{
    writer->depth--;
    if (writer->begun)
        new_line(writer);
    writer->begun = true;
    text_append_bytes(writer->text, bracket == '{' ? "}" : "]", 1);
}

void json_write_string(struct json_writer *writer, const char *key, const char *value)
{
    begin_item(writer, key);
    append_quoted(writer->text, value);
}

void json_write_integer(struct json_writer *writer, const char *key, long long value)
{
    begin_item(writer, key);
    text_append_format(writer->text, "%lld", value);
}

void json_write_real(struct json_writer *writer, const char *key, double value)
{
    char number[40];

    snprintf(number, sizeof(number), "%.17g", value);
    begin_item(writer, key);
    text_append(writer->text, number);
    /* So that it stays one for whoever reads it. */
    if (!number[strcspn(number, ".e")])
        text_append_bytes(writer->text, ".0", 2);
}
