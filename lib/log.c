/* SPDX-License-Identifier: MIT */
/*
 * The log.
 *
 * Properties: a record is one line in one write, whoever else writes. A record that is above the
 * level costs an atomic load.
 *
 * Safety: there is no lock. The level is atomic; the sink is set before other threads log, and
 * called by any thread, several at once. All that a record is made of is on its caller's stack.
 */
#include <reeve/host.h>
#include <reeve/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/shown.h"
#include "base/text.h"
#include "lib/internal.h"

#define TEXT_SIZE 2048

/* Set before other threads log; read by all. */
static rv_host_log_sink log_sink;
static void *log_sink_arg;
static _Atomic int level_max = RV_LOG_INFO;

static const char *level_name(enum rv_log_level level)
{
    static const char *const names[] = {"error",   "error",  "error", "error",
                                        "warning", "notice", "info",  "debug"};

    return (unsigned)level < ARRAY_SIZE(names) ? names[level] : "debug";
}

static void append_labels(char *line, size_t size, const struct rv_labels *labels)
{
    size_t length = strlen(line);

    if (!labels->module && !labels->task)
        return;
    length += (size_t)snprintf(line + length, size - length, "[%s%s%s",
                               labels->module ? labels->module : "", labels->task ? "/" : "",
                               labels->task ? labels->task : "");
    if (length < size && labels->run)
        length += (size_t)snprintf(line + length, size - length, "#%llu",
                                   (unsigned long long)labels->run);
    if (length < size)
        snprintf(line + length, size - length, "] ");
}

static void write_line(const struct rv_log_record *record)
{
    char line[TEXT_SIZE + 512], time[CLOCK_TEXT_SIZE];
    size_t length;

    snprintf(line, sizeof(line), "%s %-7s ", clock_format(record->realtime, time, sizeof(time)),
             level_name(record->level));
    append_labels(line, sizeof(line), &record->labels);
    length = strlen(line);
    snprintf(line + length, sizeof(line) - length, "%s", record->text);
    for (size_t i = 0; i < record->field_count; i++) {
        length = strlen(line);
        snprintf(line + length, sizeof(line) - length, " %s=%s", record->fields[i].key,
                 record->fields[i].value);
    }
    /* The line's end is still to come. */
    text_clean(line, sizeof(line) - 1);
    length = strlen(line);
    line[length++] = '\n';
    /* One write is one line, whoever else writes. */
    (void)!write(STDERR_FILENO, line, length);
}

static void emit(struct rv_context *ctx, enum rv_log_level level, const struct rv_field *fields,
                 size_t count, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));
static void emit(struct rv_context *ctx, enum rv_log_level level, const struct rv_field *fields,
                 size_t count, const char *format, va_list args)
{
    char text[TEXT_SIZE];
    struct rv_log_record record = {
        .level = level,
        .realtime = clock_realtime(),
        .labels = ctx ? rv_context_labels(ctx) : (struct rv_labels){0},
        .text = text,
        .fields = fields,
        .field_count = count,
    };

    text_format_shown(text, sizeof(text), format, args);
    if (log_sink)
        log_sink(&record, log_sink_arg);
    else
        write_line(&record);
}

void rv_log(struct rv_context *ctx, enum rv_log_level level, const char *format, ...)
{
    va_list args;

    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
        return;
    va_start(args, format);
    emit(ctx, level, NULL, 0, format, args);
    va_end(args);
}

void rv_log_fields(struct rv_context *ctx, enum rv_log_level level, const struct rv_field *fields,
                   size_t count, const char *format, ...)
{
    va_list args;

    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
        return;
    va_start(args, format);
    emit(ctx, level, fields, count, format, args);
    va_end(args);
}

void rv_host_set_log_level(enum rv_log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

void rv_host_set_log_sink(rv_host_log_sink sink, void *arg)
{
    log_sink_arg = arg;
    log_sink = sink;
}
