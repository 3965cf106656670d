/* SPDX-License-Identifier: MIT */
/* Which units are told next to start, or to stop, in a settling: a few at a time (pace.h), each in
 * its turn. */
#ifndef REEVE_DAEMON_CONTROL_SEQUENCE_H
#define REEVE_DAEMON_CONTROL_SEQUENCE_H

#include <stdbool.h>

#include "daemon/control/pace.h"

struct cause;
struct units;

struct sequence {
    struct units *units;
    struct pace pace;
    struct unit *begun_last; /* NULL: none yet, or it is gone */
};

/* again: there is room that was missing. Returns 0 or -ENOMEM. */
int sequence_init(struct sequence *sequence, struct units *units, void (*again)(void *arg),
                  void *arg);
void sequence_finish(struct sequence *sequence);
/* The unit is in another state. */
void sequence_note(struct sequence *sequence, struct unit *unit);
/* It goes away. */
void sequence_forget(struct sequence *sequence, struct unit *unit);

void sequence_start(struct sequence *sequence);
/* Of all that are up. Returns whether none is. */
bool sequence_stop(struct sequence *sequence, const struct cause *cause);

#endif
