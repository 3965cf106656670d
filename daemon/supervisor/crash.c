/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void crash_describe(const struct scoreboard *board, uint32_t slot, char *buffer, size_t size)
{
    cleanup_text struct text text = {0};
    struct scoreboard_crash crash;
    const char *signal;

    /* A torn record of a process that died while writing it still says what it can. */
    scoreboard_read_crash(board, &crash);
    if (!crash.head.used || (crash.module != slot && crash.module < SCOREBOARD_MODULES))
        return;
    signal = sigabbrev_np(crash.signal);
    text_append_format(&text, "SIG%s at 0x%" PRIx64, signal ? signal : "?", crash.address);
    if (crash.what[0] != '\0')
        text_append_format(&text, " in %s", crash.what);
    if (crash.run > 0)
        text_append_format(&text, " run %" PRIu64, crash.run);
    for (uint32_t i = 0; i < crash.frame_count; i++)
        text_append_format(&text, "%s%s+0x%" PRIx64, i == 0 ? ": " : " ",
                           file_name(crash.frames[i].object), crash.frames[i].offset);
    string_copy(buffer, size, text_string(&text));
    text_sanitise(buffer);
}
