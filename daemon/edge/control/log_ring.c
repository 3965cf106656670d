/* SPDX-License-Identifier: MIT */
#include "daemon/edge/control/log_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/log_kind.h"
#include "base/log_record.h"
#include "base/text.h"
#include "daemon/serialize/fields.h"

/* Of all lines together; the supervisor is to stay small. */
#define BYTES_MAX (128 * 1024)

struct line {
    struct list list;
    uint64_t number;
    int64_t realtime;
    enum log_level level;
    enum log_event event;
    size_t size; /* of the whole record */
    char text[];
};

struct log_ring {
    struct list lines; /* the oldest first */
    size_t bytes;
    uint64_t last_number;
};

static void drop(struct log_ring *ring, struct line *line)
{
    ring->bytes -= line->size;
    list_remove(&line->list);
    free(line);
}

static struct line *make_line(uint64_t number, int64_t realtime, enum log_level level,
                              enum log_event event, const char *text)
{
    size_t length = strlen(text), size = sizeof(struct line) + length + 1;
    struct line *line = malloc(size);

    if (!line)
        return NULL;
    *line = (struct line){
        .number = number, .realtime = realtime, .level = level, .event = event, .size = size};
    memcpy(line->text, text, length + 1);
    return line;
}

static void take_line(const struct log_record *record, void *arg)
{
    struct log_ring *ring = arg;
    struct line *line = make_line(++ring->last_number, record->realtime, record->level,
                                  record->event, record->text);

    if (!line)
        return;
    list_append(&ring->lines, &line->list);
    ring->bytes += line->size;
    while (ring->bytes > BYTES_MAX)
        drop(ring, list_entry(ring->lines.next, struct line, list));
}

int log_ring_create(struct log_ring **ret_ring)
{
    struct log_ring *ring = calloc(1, sizeof(*ring));

    if (!ring)
        return -ENOMEM;
    list_init(&ring->lines);
    log_set_observer(take_line, ring);
    *ret_ring = ring;
    return 0;
}

void log_ring_destroy(struct log_ring *ring)
{
    struct line *line, *next;

    if (!ring)
        return;
    log_set_observer(NULL, NULL);
    LIST_FOREACH_SAFE (line, next, &ring->lines, list)
        drop(ring, line);
    free(ring);
}

/* "[web] ..." and "[web/check#12] ..." are of the module web. */
static bool is_of(const struct line *line, const char *module)
{
    size_t length = strlen(module);

    return line->text[0] == '[' && strncmp(line->text + 1, module, length) == 0 &&
           (line->text[length + 1] == ']' || line->text[length + 1] == '/');
}

static json_t *or_null(const char *text)
{
    return text && *text != '\0' ? serialize_text(text) : json_null();
}

static json_t *line_json(const struct line *line)
{
    struct log_record record = {.text = line->text};
    char time[CLOCK_TEXT_SIZE];

    /* Not kept with the line, as it stands in its text. */
    log_record_parse(&record);
    return json_pack(
        "{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "number", (json_int_t)line->number, "time",
        clock_format(line->realtime, time, sizeof(time)), "level", log_level_name(line->level),
        "module", or_null(record.module), "task", or_null(record.task), "run",
        record.run > 0 ? json_integer((json_int_t)record.run) : json_null(), "event",
        or_null(log_event_name(line->event)), "message_id", or_null(log_event_id(line->event)),
        "text", serialize_text(line->text));
}

json_t *log_ring_json(const struct log_ring *ring, const char *module, uint64_t after, size_t most)
{
    json_t *lines = json_array();
    const struct line *line;
    size_t matching = 0;

    LIST_FOREACH (line, &ring->lines, list)
        matching += line->number > after && (!module || is_of(line, module));
    LIST_FOREACH (line, &ring->lines, list) {
        if (line->number <= after || (module && !is_of(line, module)) || matching-- > most)
            continue;
        json_array_append_new(lines, line_json(line));
    }
    return json_pack("{s:o, s:I}", "lines", lines, "last", (json_int_t)ring->last_number);
}

json_t *log_ring_save(const struct log_ring *ring)
{
    json_t *lines = json_array();
    const struct line *line;

    LIST_FOREACH (line, &ring->lines, list)
        json_array_append_new(lines, json_pack("[I, I, i, i, s]", (json_int_t)line->number,
                                               (json_int_t)line->realtime, (int)line->level,
                                               (int)line->event, line->text));
    return json_pack("{s:I, s:o}", "last", (json_int_t)ring->last_number, "lines", lines);
}

void log_ring_resume(struct log_ring *ring, const json_t *state)
{
    uint64_t last = (uint64_t)json_integer_value(json_object_get(state, "last"));
    const json_t *lines = json_object_get(state, "lines");
    struct line *line;

    /* Lines of this program come after them. */
    LIST_FOREACH (line, &ring->lines, list)
        line->number += last;
    ring->last_number += last;
    for (size_t i = json_array_size(lines); i > 0; i--) {
        json_int_t number, realtime;
        int level, event;
        const char *text;

        if (json_unpack(json_array_get(lines, i - 1), "[I, I, i, i, s]", &number, &realtime, &level,
                        &event, &text) < 0 ||
            event < 0 || event >= LOG_EVENT_COUNT || level < LOG_LEVEL_ERROR ||
            level > LOG_LEVEL_DEBUG)
            continue;
        line = make_line((uint64_t)number, realtime, (enum log_level)level, (enum log_event)event,
                         text);
        if (!line)
            return;
        list_prepend(&ring->lines, &line->list);
        ring->bytes += line->size;
    }
    while (ring->bytes > BYTES_MAX)
        drop(ring, list_entry(ring->lines.next, struct line, list));
}
