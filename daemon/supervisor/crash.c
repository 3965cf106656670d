/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/crash.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void describe_place(const struct scoreboard_crash *record, struct crash *crash)
{
    cleanup_text struct text text = {0};
    int signal = record->signal;

    /* For other signals the field holds something else. */
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE)
        text_append_format(&text, "at address 0x%" PRIx64 ", ", record->address);
    text_append(&text, "frames:");
    for (uint32_t i = 0; i < record->frame_count; i++)
        text_append_format(&text, " %s+0x%" PRIx64, file_name(record->frames[i].object),
                           record->frames[i].offset);
    string_copy(crash->place, sizeof(crash->place), text_string(&text));
    text_sanitise(crash->place);
}

void crash_read(const struct scoreboard *board, uint32_t slot, struct crash *ret_crash)
{
    char run[32] = "";
    struct scoreboard_crash record;
    const char *signal;

    *ret_crash = (struct crash){0};
    /* A torn record of a process that died while writing it still says what it can. */
    scoreboard_read_crash(board, &record);
    if (!record.head.used || (record.module != slot && record.module < SCOREBOARD_MODULES))
        return;
    string_copy(ret_crash->task, sizeof(ret_crash->task), record.what);
    text_sanitise(ret_crash->task);
    signal = sigabbrev_np(record.signal);
    if (record.run > 0)
        snprintf(run, sizeof(run), " run %" PRIu64, record.run);
    snprintf(ret_crash->summary, sizeof(ret_crash->summary), "SIG%s%s%s%s", signal ? signal : "?",
             ret_crash->task[0] ? " in " : "", ret_crash->task, run);
    describe_place(&record, ret_crash);
}
