/* SPDX-License-Identifier: MIT */
#include "daemon/upgrade/log_serialize.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_record.h"
#include "base/macro.h"
#include "daemon/serialize/fields.h"

static void save_line(const struct log_record *record, void *arg)
{
    (void)json_array_append_new(arg,
                                json_pack("[i, i, I, s]", (int)record->event, (int)record->level,
                                          (json_int_t)record->realtime, record->text));
}

json_t *log_state_save(void)
{
    struct log_waiting waiting;
    json_t *lines = json_array();
    cleanup_free char *torn = NULL;

    if (!lines)
        return NULL;
    log_save(&waiting, save_line, lines);
    torn = strndup(waiting.torn, waiting.torn_size);
    return json_pack("{s:o, s:I, s:o}", "lines", lines, "dropped", (json_int_t)waiting.dropped,
                     "torn", serialize_bytes(torn ? torn : ""));
}

void log_state_load(const json_t *state)
{
    const json_t *lines = json_object_get(state, "lines");
    cleanup_free char *torn = serialize_take_bytes(json_object_get(state, "torn"));
    struct log_waiting waiting = {
        .torn = torn ? torn : "",
        .torn_size = torn ? strlen(torn) : 0,
        .dropped = (uint64_t)json_integer_value(json_object_get(state, "dropped"))};
    json_int_t realtime;
    int event, level;
    const char *text;

    if (!state)
        return;
    log_resume(&waiting);
    for (size_t i = 0; i < json_array_size(lines); i++)
        if (json_unpack(json_array_get(lines, i), "[i, i, I, s]", &event, &level, &realtime,
                        &text) == 0 &&
            event >= 0 && event < LOG_EVENT_COUNT && level >= LOG_LEVEL_ERROR &&
            level <= LOG_LEVEL_DEBUG)
            log_resume_line((enum log_event)event, (enum log_level)level, realtime, text);
}
