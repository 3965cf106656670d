/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/crash.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/signal_name.h"
#include "base/text.h"

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_overflow(const struct scoreboard_stack *record)
{
    return record->signal != 0 && record->state[0] != '\0';
}

/* Addresses are known only for faults; for other signals the field holds something else. */
static void describe_facts(const struct scoreboard_stack *record, struct crash *crash)
{
    int signal = record->signal;

    if (is_overflow(record))
        snprintf(crash->facts, sizeof(crash->facts),
                 "its stack has %.32s: see rv_runtime_configure(3)", record->state);
    else if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE)
        snprintf(crash->facts, sizeof(crash->facts), "at address 0x%" PRIx64, record->address);
    else
        string_copy(crash->facts, sizeof(crash->facts), record->state);
    text_sanitise(crash->facts);
}

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
                           file_name(frames->frames[i].path), frames->frames[i].offset);
    string_copy(crash->frames, sizeof(crash->frames), text_string(&text));
    text_sanitise(crash->frames);
}

static void describe_summary(const struct scoreboard_stack *record, struct crash *crash)
{
    char run[32] = "";

    if (record->run > 0)
        snprintf(run, sizeof(run), " run %" PRIu64, record->run);
    snprintf(crash->summary, sizeof(crash->summary), "%s%s%s%s",
             is_overflow(record) ? "stack overflow"
             : record->signal    ? signal_name(record->signal)
                                 : "hang",
             crash->task[0] ? " in " : "", crash->task, run);
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
    describe_summary(&record, ret_crash);
    describe_facts(&record, ret_crash);
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
