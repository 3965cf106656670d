/* SPDX-License-Identifier: MIT */
/* What the files of this folder share, and nobody else sees. */
#ifndef REEVE_LOOP_INTERNAL_H
#define REEVE_LOOP_INTERNAL_H

struct event_base;
struct loop;

struct event_base *loop_event_base(struct loop *loop);

#endif
