/* SPDX-License-Identifier: MIT */
/*
 * An errand is what somebody waits for: units that are to be ready, or down. An operation has one, and a
 * reload.
 *
 * Every unit of an errand settles once: it arrives where it was to be; or it comes to rest elsewhere (it
 * failed, waits out a backoff, or waits for what does not come); or another errand wants it elsewhere and
 * overtakes; or it takes longer than all its timeouts allow. So every errand ends.
 */
#ifndef REEVE_DAEMON_CONTROL_AWAITED_H
#define REEVE_DAEMON_CONTROL_AWAITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct loop_timer;
struct supervisor;
struct unit;

enum errand_want { ERRAND_UP, ERRAND_DOWN };

struct errand_item {
    struct list list; /* in the unit: its part in each errand */
    struct errand *errand;
    struct unit *unit; /* NULL once it has gone away */
    char name[64];     /* the unit's, cut */
    enum errand_want want;
    bool settled;
    int code;   /* settled: 0: it arrived; -EIO, -ECANCELED, -ETIMEDOUT */
    char *text; /* what to say of it, after its name; NULL: it arrived, or there was no memory */
};

struct errand {
    struct list list; /* in the supervisor */
    struct supervisor *supervisor;
    struct loop_timer *timer;
    char what[96];             /* "stop of module a" */
    struct errand_item *items; /* the first is what was asked for, the others go along */
    size_t count;
    size_t size;
    size_t open; /* items that have not settled */
};

/* An errand without units; what says whose it is, for those that it overtakes. Returns 0 or -ENOMEM. */
int errand_begin(struct supervisor *supervisor, const char *what, struct errand **ret_errand);
/* The end, whether settled or not. NULL does nothing. */
void errand_end(struct errand *errand);

/* Another unit; one that is in it already is only wanted elsewhere. Errands that want the unit elsewhere
 * are overtaken. A NULL errand (nobody waits) only overtakes; by then says who, in words. There is room
 * for every unit that was there when the errand began, and for those that a reload adds. */
void errand_add(struct supervisor *supervisor, struct errand *errand, struct unit *unit,
                enum errand_want want, const char *by);

/* From now on it has as long as the timeouts of its units, and of those that move already, one after the other; and longer
 * with each that goes along later. */
void errand_depart(struct errand *errand);

bool errand_is_settled(const struct errand *errand);

/* Called in each settling: notes which units have settled. */
void errands_settle(struct supervisor *supervisor);
/* The unit has entered a state that it may leave again before the next settling. */
void errands_note(struct unit *unit);
/* The unit goes away. */
void errands_forget(struct unit *unit);

#endif
