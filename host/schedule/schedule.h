/* SPDX-License-Identifier: MIT */
/*
 * When a task runs. A pure machine of numbers: it reads no clock and waits for nothing itself, so
 * that a table can test it.
 *
 * There are two kinds of schedule. An interval counts on the monotonic clock: its points are a grid
 * from the first run on, and no change of the time of day touches it. Points of the wall clock are
 * those of calendar expressions, or multiples of an aligned interval: they follow the time of day,
 * wherever it is set to.
 *
 * Every point is put off by `offset`, and each start by a random part of `jitter`. A point that
 * passes unused is never made up for by a burst: at most one run follows it.
 *
 * A point is open until its run begins or it is skipped. The first open one is what a schedule
 * hands on to the one after it, in another life of the host or of the daemon: from there on nothing
 * was done yet.
 */
#ifndef REEVE_HOST_SCHEDULE_SCHEDULE_H
#define REEVE_HOST_SCHEDULE_SCHEDULE_H

#include <reeve/duration.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings/work_keys.h"

struct schedule_now {
    rv_time monotonic;
    int64_t realtime;
};

/* The knowledge from before the schedule began; times are real ones. All 0: the task was never
 * seen. */
struct schedule_past {
    /* Every point until then was run or skipped, but for open and what follows it. Later than now,
     * it is of a clock that was wrong, or a pause that is over, if set_back says so or open is not
     * known, else of another rule. */
    int64_t settled;
    int64_t open; /* the first point that was neither, of whatever rule there was; 0: not known */
    int64_t
        pause_until; /* the end of the last pause after failures, which may be over; 0: not known */
    int64_t passed_until; /* points until then were skipped as they came; 0: none */
    bool stopped;         /* as the task was stopped for an error, and not as a run was under way */
    bool set_back;        /* the clock has been, since this was known */
    bool revived;         /* a person has started the module since */
    unsigned failures;    /* in a row */
    bool owed; /* nobody had stopped it: what fell due meanwhile is run, whatever catch-up says */
};

/* The points that passed between then and now. */
struct schedule_gap {
    uint64_t in_run;     /* points that were skipped as they came */
    uint64_t missed;     /* points that found nobody; at most SCHEDULE_MISSED_MAX are counted */
    int64_t first, last; /* of those that were counted: real times, without jitter */
    bool skipped;        /* no run makes up for them */
    bool stepped;        /* the clock was set over them, while the task was there */
};

#define SCHEDULE_MISSED_MAX 1000

struct schedule {
    const struct schedule_rule *rule;
    uint64_t random;     /* state of the jitter's generator */
    rv_time base;        /* the point of the grid that is planned, or whose run began last */
    rv_time first;       /* the latter; before the first start the first there is, pause or not */
    int64_t planned;     /* the point of the wall clock that due belongs to; 0: none */
    rv_duration put_off; /* from then until due, by jitter */
    int64_t last;        /* the one of the run that began last; 0: none */
    /* The first open point. Of an interval it is on the monotonic clock, and 0 while there is
     * nothing to hand on; else it is a real time, and INT64_MAX when no point comes any more. */
    rv_time open;
    int64_t open_realtime;
    /* Of the wall clock: every point until `settled` was run or skipped, when real time was by
     * `track` ahead of the monotonic one; `clock` is by how much it was when it was last looked at,
     * and `begun` when this began. Points that were settled before that by a clock ahead of this
     * one have no known track. */
    int64_t settled, track, clock;
    rv_time begun;
    rv_time not_before; /* the end of a pause after failures; 0: there is none */
    bool late;          /* the planned run makes up for points whose time is over: due stays */
    rv_time due;        /* of the next start, on the monotonic clock; RV_NEVER: never by itself */
};

/* Whether the task runs by itself at all, and whether it goes by the wall clock. */
bool schedule_is_planned(const struct schedule_rule *rule);
bool schedule_is_of_wall_clock(const struct schedule_rule *rule);

/* The shortest time between points, of those that are looked at, which are always the same, so that
 * a rule does not become a wrong one some day; of an interval, that. RV_FOREVER: there is one point
 * at most. */
rv_duration schedule_shortest(const struct schedule_rule *rule);

/* Whether the last run's time is worth keeping while the daemon is down: a short interval is not.
 */
bool schedule_is_kept(const struct schedule_rule *rule);

/*
 * Begins where the schedule before it ended: sets due for the first time. One run makes up for the
 * points that passed meanwhile if a point among them still has time, by its jitter; if they are
 * owed; or if they are to be caught up with. The last is put off a little, so that tasks that all
 * missed theirs do not start together. Else they are skipped. A past that lies in the future is one
 * up to now, except for a pause after failures.
 */
void schedule_begin(struct schedule *schedule, const struct schedule_rule *rule,
                    const struct schedule_now *now, const struct schedule_past *past, uint64_t seed,
                    struct schedule_gap *ret_gap);

/* The planned run starts now, or its turn was skipped. */
void schedule_started(struct schedule *schedule);

/* The knowledge for the schedule after this one, apart from how runs went. */
void schedule_hand_on(const struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_past *ret_past);

/* Sets due to the first start after now, after as many failures in a row. Returns it. */
rv_duration schedule_plan(struct schedule *schedule, const struct schedule_now *now,
                          unsigned failures);

/*
 * A run on request has ended, and after it there are as many failures in a row: the pause after
 * them begins now, or is over. A point that has come and waits for its start is put off until the
 * end of the pause, and stays open; of those to come the first after it is planned. Without a pause
 * nothing changes.
 */
void schedule_set_pause(struct schedule *schedule, const struct schedule_now *now,
                        unsigned failures);

/* The points of the wall clock to come that a pause after as many failures in a row leaves out;
 * missed is 0 for none. */
void schedule_left_out(const struct schedule *schedule, const struct schedule_now *now,
                       unsigned failures, struct schedule_gap *ret_gap);

/* A run is due now for the points that a run has missed, which are open until it starts. Points
 * that are missed from here on are counted from now. */
void schedule_resume(struct schedule *schedule, const struct schedule_now *now);

/* Points that came until now while a run went on are skipped. */
void schedule_pass(struct schedule *schedule, const struct schedule_now *now);

/*
 * The time of day was set, or means something else in the machine's zone: sets due anew. A planned
 * point that has passed by it is due now; a clock set back lets points come again. One that was
 * wrong for a while, and is right again, brings back nothing that was settled before: only what has
 * come since then is due, and what came before the schedule began is as at a start. ret_gap has the
 * points that passed by it, if there were several or they are skipped.
 */
rv_duration schedule_clock_was_set(struct schedule *schedule, const struct schedule_now *now,
                                   struct schedule_gap *ret_gap);

/* How many points have come and passed since the run began that was planned last; at most
 * SCHEDULE_MISSED_MAX are counted. */
uint64_t schedule_missed(const struct schedule *schedule, const struct schedule_now *now);

/* The next points of a schedule by the wall clock, from the planned one on: real times without
 * jitter, 0 where there are no more. All 0 for an interval. */
void schedule_points(const struct schedule *schedule, int64_t *points, size_t count);

/* Writes "every 30s", "at Mon..Fri 03:00:00" and the like; "" for a task without schedule. */
void schedule_format(const struct schedule_rule *rule, char *buffer, size_t size);

#endif
