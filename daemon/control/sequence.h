/* SPDX-License-Identifier: MIT */
/* Which units are told next to start, or to stop, in a settling: a few at a time (pace.h), each in its turn. */
#ifndef REEVE_DAEMON_CONTROL_SEQUENCE_H
#define REEVE_DAEMON_CONTROL_SEQUENCE_H

#include <stdbool.h>

struct supervisor;

void sequence_start(struct supervisor *supervisor);
/* Of all that are up. Returns whether none is. */
bool sequence_stop(struct supervisor *supervisor);

#endif
