/* SPDX-License-Identifier: MIT */
/*
 * An awaited is what somebody waits for: units that are to be ready, or down. An operation has one,
 * and a reload.
 *
 * Every unit of an awaited settles once: it arrives where it was to be; or it comes to rest
 * elsewhere (it failed, waits out a backoff, or waits for what does not come); or another awaited
 * wants it elsewhere and overtakes; or it takes longer than all its timeouts allow. So every
 * awaited ends.
 */
#ifndef REEVE_DAEMON_CONTROL_AWAITED_H
#define REEVE_DAEMON_CONTROL_AWAITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct loop_timer;
struct units;
struct unit;

enum awaited_want { AWAITED_UP, AWAITED_DOWN };

struct awaited_item {
    struct list list; /* in the unit: its part in each awaited */
    struct awaited *awaited;
    struct unit *unit; /* NULL once it has gone away */
    char name[64];     /* the unit's, cut */
    enum awaited_want want;
    bool settled;
    int code;   /* settled: 0: it arrived; -EIO, -ECANCELED, -ETIMEDOUT */
    char *text; /* what to say of it, after its name; NULL: it arrived, or there was no memory */
};

struct awaited {
    struct list list; /* among all that is awaited */
    struct units *units;
    struct loop_timer *timer;
    char what[96];              /* "stop of module a" */
    struct awaited_item *items; /* the first is what was asked for, the others go along */
    size_t count;
    size_t size;
    size_t open; /* items that have not settled */
};

/* An awaited without units; what says whose it is, for those that it overtakes. Returns 0 or
 * -ENOMEM. */
int awaited_begin(struct units *units, const char *what, struct awaited **ret_awaited);
/* The end, whether settled or not. NULL does nothing. */
void awaited_end(struct awaited *awaited);

/* Another unit; one that is in it already is only wanted elsewhere. Others that want the unit
 * elsewhere are overtaken. A NULL awaited (nobody waits) only overtakes; by then says who, in
 * words. There is room for every unit that was there when the awaited began, and for those that a
 * reload adds. */
void awaited_add(struct units *units, struct awaited *awaited, struct unit *unit,
                 enum awaited_want want, const char *by);

/* From now on it has as long as the timeouts of its units, and of those that move already, one
 * after the other; and longer with each that goes along later. */
void awaited_depart(struct awaited *awaited);

bool awaited_is_over(const struct awaited *awaited);

/* Called in each settling: notes which units have settled. */
void awaited_reconcile(struct units *units);
/* The unit has entered a state that it may leave again before the next settling. */
void awaited_note(struct unit *unit);
/* The unit goes away. */
void awaited_forget(struct unit *unit);

#endif
