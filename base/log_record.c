/* SPDX-License-Identifier: MIT */
#include "base/log_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Copies up to one of the stops; returns where it is. */
static const char *take_name(const char *text, const char *stops, char *name, size_t size)
{
    size_t length = strcspn(text, stops);
    char whole[256];

    snprintf(whole, sizeof(whole), "%.*s", (int)MIN(length, sizeof(whole) - 1), text);
    string_copy(name, size, whole);
    return text + length;
}

void log_record_parse(struct log_record *record)
{
    const char *text = record->text, *close = strstr(text, "] ");

    record->module[0] = record->task[0] = '\0';
    record->run = 0;
    if (*text != '[' || !close)
        return;
    text = take_name(text + 1, "/]", record->module, sizeof(record->module));
    if (*text == '/')
        text = take_name(text + 1, "#]", record->task, sizeof(record->task));
    if (*text == '#')
        record->run = strtoull(text + 1, NULL, 10);
}

/* JSON -------------------------------------------------------------------- */

struct writer {
    char *buffer;
    size_t size;
    size_t used;
};

static void put(struct writer *writer, const char *text)
{
    size_t length = strlen(text);

    if (length >= writer->size - writer->used)
        return;
    memcpy(writer->buffer + writer->used, text, length + 1);
    writer->used += length;
}

/* Of a printable text only two characters need a backslash. It ends before reserve bytes would be
 * cut, and not within a character. */
static void put_string(struct writer *writer, const char *text, size_t reserve)
{
    put(writer, "\"");
    while (*text != '\0') {
        size_t length = 1;
        char piece[8] = {0};

        while (((unsigned char)text[length] & 0xc0) == 0x80 && length < 4)
            length++;
        if (writer->size - writer->used < reserve + length + 3)
            break;
        if (*text == '"' || *text == '\\')
            put(writer, "\\");
        memcpy(piece, text, length);
        put(writer, piece);
        text += length;
    }
    put(writer, "\"");
}

static void put_member(struct writer *writer, const char *key, const char *value)
{
    put(writer, ",\"");
    put(writer, key);
    put(writer, "\":");
    if (value && *value != '\0')
        put_string(writer, value, 0);
    else
        put(writer, "null");
}

size_t log_record_write_json(const struct log_record *record, char *buffer, size_t size)
{
    struct writer writer = {buffer, size, 0};
    char time[CLOCK_TEXT_SIZE], run[32] = "null";

    if (record->run > 0)
        snprintf(run, sizeof(run), "%" PRIu64, record->run);
    put(&writer, "{\"time\":");
    put_string(&writer, clock_format(record->realtime, time, sizeof(time)), 0);
    put_member(&writer, "level", log_level_name(record->level));
    put_member(&writer, "module", record->module);
    put_member(&writer, "task", record->task);
    put(&writer, ",\"run\":");
    put(&writer, run);
    put_member(&writer, "event", log_event_name(record->event));
    put_member(&writer, "message_id", log_event_id(record->event));
    put(&writer, ",\"text\":");
    put_string(&writer, record->text, strlen("\"}\n") + 1);
    put(&writer, "}\n");
    return writer.used;
}

/* The journal ------------------------------------------------------------- */

static void put_field(struct writer *writer, const char *name, const char *value)
{
    if (!value || *value == '\0' || strlen(name) + strlen(value) + 3 > writer->size - writer->used)
        return;
    put(writer, name);
    put(writer, "=");
    put(writer, value);
    put(writer, "\n");
}

size_t log_record_write_journal(const struct log_record *record, char *buffer, size_t size)
{
    struct writer writer = {buffer, size, 0};
    char number[32];

    /* A value with a line's end would need another form: there is none in a printable text. */
    put_field(&writer, "MESSAGE", record->text);
    snprintf(number, sizeof(number), "%d", (int)record->level);
    put_field(&writer, "PRIORITY", number);
    put_field(&writer, "SYSLOG_IDENTIFIER", "reeved");
    put_field(&writer, "MESSAGE_ID", log_event_id(record->event));
    put_field(&writer, "REEVE_EVENT", log_event_name(record->event));
    put_field(&writer, "REEVE_MODULE", record->module);
    put_field(&writer, "REEVE_TASK", record->task);
    snprintf(number, sizeof(number), "%" PRIu64, record->run);
    put_field(&writer, "REEVE_RUN", record->run > 0 ? number : NULL);
    return writer.used;
}
