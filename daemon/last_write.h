/* SPDX-License-Identifier: MIT */
/*
 * The last write to the state directory, when everything has stopped. It is waited for in the loop,
 * so that signals are still heard: a disk that hangs must not hold up the end of the daemon for
 * longer than its operator wants.
 */
#ifndef REEVE_LAST_WRITE_H
#define REEVE_LAST_WRITE_H

#include <stdbool.h>
#include <stdint.h>

struct last_write;
struct loop;
struct supervisor;

/* done is called once for each begin: written is false when the write was given up. Returns 0 or
 * -ENOMEM. */
int last_write_create(struct loop *loop, struct supervisor *supervisor,
                      void (*done)(bool written, void *arg), void *arg,
                      struct last_write **ret_write);

/* Begins it, unless it has begun. It is given up at the deadline (monotonic), but not before a
 * moment has passed in which a disk that is well answers. */
void last_write_begin(struct last_write *write, int64_t deadline);

/* Whether it has begun and not ended. */
bool last_write_is_under_way(const struct last_write *write);

/* Gives it up, and says what is lost. */
void last_write_give_up(struct last_write *write);

/* NULL does nothing. */
void last_write_destroy(struct last_write *write);

#endif
