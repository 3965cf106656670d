/* SPDX-License-Identifier: MIT */
#include "daemon/process/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "wire/stack_text.h"

static void take_frames(const struct scoreboard *board, const struct scoreboard_stack *record,
                        struct crash_frames *frames)
{
    struct scoreboard_object object;

    *frames = (struct crash_frames){.count = record->frame_count};
    for (unsigned i = 0; i < frames->count; i++) {
        scoreboard_read_object(board, record->frames[i].object, &object);
        frames->frames[i].offset = record->frames[i].offset;
        memcpy(frames->frames[i].path, object.path, sizeof(object.path));
    }
}

static void describe_frames(const struct crash_frames *frames, struct crash *crash)
{
    cleanup_text struct text text = {0};

    for (unsigned i = 0; i < frames->count; i++)
        text_append_format(&text, "%s%s+0x%" PRIx64, i == 0 ? "" : " ",
                           path_name(frames->frames[i].path), frames->frames[i].offset);
    string_copy(crash->frames, sizeof(crash->frames), text_string(&text));
    text_sanitise(crash->frames);
}

static bool concerns(const struct scoreboard_stack *record, uint32_t slot)
{
    return record->head.used && (record->module == slot || record->module >= SCOREBOARD_MODULES);
}

void crash_read(const struct scoreboard *board, uint32_t slot, struct crash *ret_crash,
                struct crash_frames *ret_frames)
{
    static uint64_t last_id;
    struct scoreboard_stack record;
    struct crash_frames frames;

    *ret_crash = (struct crash){0};
    if (ret_frames)
        ret_frames->count = 0;
    /* A torn record of a process that died while writing it still says what it can. */
    scoreboard_read_stack(&board->crash, &record);
    if (!concerns(&record, slot))
        scoreboard_read_stack(&board->hang, &record);
    if (!concerns(&record, slot))
        return;
    ret_crash->id = ++last_id;
    ret_crash->hang = record.signal == 0;
    string_copy(ret_crash->task, sizeof(ret_crash->task), record.what);
    text_sanitise(ret_crash->task);
    stack_summary(&record, ret_crash->summary, sizeof(ret_crash->summary));
    stack_facts(&record, ret_crash->facts, sizeof(ret_crash->facts));
    take_frames(board, &record, &frames);
    describe_frames(&frames, ret_crash);
    if (ret_frames)
        *ret_frames = frames;
}

void crash_describe(const struct crash *crash, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s%s%s%s%s", crash->summary, crash->facts[0] ? " " : "", crash->facts,
             crash->frames[0] ? ", frames: " : "", crash->frames);
}
