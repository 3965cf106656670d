/* SPDX-License-Identifier: MIT */
/* Why and when a module was restarted. */
#ifndef REEVE_DAEMON_UNIT_RESTART_H
#define REEVE_DAEMON_UNIT_RESTART_H

#include <stdint.h>

#include "daemon/process/crash.h"
#include "daemon/unit/cause.h"

struct restart {
    enum cause_kind kind; /* CAUSE_NONE: there was none */
    int64_t at;           /* monotonic: when it started again */
    char text[512];
    struct crash crash; /* of a crash or hang; else empty */
};

/* Notes the reason for the next start. crash may be NULL. Keeps `at`. */
void restart_note(struct restart *restart, enum cause_kind kind, const char *text,
                  const struct crash *crash);

/* Gives the frames of the crash with this id their names. */
void restart_name_frames(struct restart *restart, uint64_t crash_id, const char *frames);

/* "crash" and the like. Any number will do: a later version may have handed it over. */
const char *cause_kind_name(enum cause_kind kind);

#endif
