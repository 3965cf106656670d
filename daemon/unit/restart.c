/* SPDX-License-Identifier: MIT */
#include "daemon/unit/restart.h"

#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"

static const char *const kind_names[] = {
    [CAUSE_NONE] = "other",
    [CAUSE_CRASH] = "crash",
    [CAUSE_LIMIT] = "limit",
    [CAUSE_HANG] = "hang",
    [CAUSE_KILLED] = "killed",
    [CAUSE_EXIT] = "exit",
    [CAUSE_FAILURE] = "failure",
    [CAUSE_NEIGHBOUR] = "neighbour",
    [CAUSE_DEPENDENCY] = "dependency",
    [CAUSE_OPERATOR] = "operator",
    [CAUSE_RELOAD] = "reload",
    [CAUSE_UPGRADE] = "upgrade",
};
_Static_assert(ARRAY_SIZE(kind_names) == CAUSE_KIND_COUNT, "every kind has a name");

const char *cause_kind_name(enum cause_kind kind)
{
    return kind_names[kind < CAUSE_KIND_COUNT ? kind : CAUSE_NONE];
}

void restart_note(struct restart *restart, enum cause_kind kind, const char *text,
                  const struct crash *crash)
{
    restart->kind = kind;
    string_copy(restart->text, sizeof(restart->text), text);
    /* It may quote a text that was cut within a character. */
    text_clean(restart->text, sizeof(restart->text));
    restart->crash = crash ? *crash : (struct crash){0};
}

void restart_name_frames(struct restart *restart, uint64_t crash_id, const char *frames)
{
    if (restart->crash.id == crash_id)
        string_copy(restart->crash.frames, sizeof(restart->crash.frames), frames);
}
