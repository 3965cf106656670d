/* SPDX-License-Identifier: MIT */
/* Shared by the files of this directory alone. */
#ifndef REEVE_LOOP_INTERNAL_H
#define REEVE_LOOP_INTERNAL_H

#include <stdbool.h>

struct event_base;
struct loop;

struct event_base *loop_event_base(struct loop *loop);

/* For who turns the loop within a call: until it is over no source and no timer of loop.h calls
 * anybody, only what hangs on the event base itself does. None is lost. */
void loop_suspend(struct loop *loop, bool suspended);

#endif
