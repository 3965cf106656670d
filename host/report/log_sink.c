/* SPDX-License-Identifier: MIT */
#include "host/report/log_sink.h"

#include <reeve/host.h>
#include <reeve/module.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/shown.h"
#include "base/text.h"

/* A pipe takes up to 4096 bytes in one piece. */
#define LINE_SIZE 3072

/* The line that this thread logs is the host's own. */
static _Thread_local bool is_own;

/* "<4>[web/check#12] text key=value"; "<4!>" for one of the host's own. It begins with a line's
 * end, since the module may have written a part of a line, which would take the record along where
 * it is cut. */
static void write_record(const struct rv_log_record *record, void *arg _unused_)
{
    const struct rv_labels *labels = &record->labels;
    char whole[1 + LINE_SIZE] = "\n", *line = whole + 1, number[32] = "";
    const size_t room = LINE_SIZE - 1; /* the line's end is still to come */
    int used;

    if (labels->run > 0)
        snprintf(number, sizeof(number), "#%llu", (unsigned long long)labels->run);
    used = snprintf(line, room, "<%d%s>", record->level, is_own ? "!" : "");
    if (labels->module)
        used += snprintf(line + used, room - (size_t)used, "[%.64s%s%.64s%s] ", labels->module,
                         labels->task ? "/" : "", labels->task ? labels->task : "", number);
    string_copy(line + used, room - (size_t)used, record->text);
    for (size_t i = 0; i < record->field_count; i++) {
        size_t length = strlen(line);

        snprintf(line + length, room - length, " %s=%s", record->fields[i].key,
                 record->fields[i].value);
    }
    /* Here, where it is whole; the supervisor, which trusts no host, does so again. */
    text_clean(line, room);
    strcat(line, "\n");
    (void)!write(STDERR_FILENO, whole, strlen(whole));
}

void host_log(struct rv_context *ctx, enum rv_log_level level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;

    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    is_own = true;
    rv_log(ctx, level, "%s", text);
    is_own = false;
}

void log_sink_install(void)
{
    rv_host_set_log_sink(write_record, NULL);
}
