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
 */
#ifndef REEVE_HOST_SCHEDULE_H
#define REEVE_HOST_SCHEDULE_H

#include <reeve/duration.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calendar;

#define SCHEDULE_CALENDARS_MAX 16

/* catch-up: whether a run that fell due while nothing ran is made up for at the start. */
enum schedule_catch_up {
    SCHEDULE_CATCH_UP_BY_KIND, /* as nobody said: intervals do, the wall clock does not */
    SCHEDULE_CATCH_UP_NO,
    SCHEDULE_CATCH_UP_YES,
};

struct schedule_rule {
    rv_duration every; /* 0: not by interval */
    struct calendar *at[SCHEDULE_CALENDARS_MAX];
    unsigned at_count;
    bool align; /* `every` counts from the epoch, in UTC */
    rv_duration offset;
    rv_duration jitter;
    enum schedule_catch_up catch_up;
    rv_duration backoff; /* after a failure: no run for so long, doubled with each further one */
    rv_duration backoff_max;
};

struct schedule_now {
    rv_duration monotonic;
    int64_t realtime;
};

struct schedule {
    const struct schedule_rule *rule;
    uint64_t random;  /* state of the jitter's generator */
    rv_duration base; /* a point of the interval's grid, on the monotonic clock */
    int64_t planned;  /* the point of the wall clock that due belongs to; 0: none */
    int64_t last;     /* the one of the run that began last; 0: none */
    rv_duration due;  /* of the next start, on the monotonic clock; RV_FOREVER: never by itself */
};

/* Whether the task runs by itself at all, and whether it goes by the wall clock. */
bool schedule_is_planned(const struct schedule_rule *rule);
bool schedule_is_of_wall_clock(const struct schedule_rule *rule);

/* Whether the last run's time is worth keeping while the daemon is down: a short interval is not. */
bool schedule_is_kept(const struct schedule_rule *rule);

/*
 * Begins: sets due for the first time. last_run is the real time at which the task started last, in
 * whatever life of the daemon, 0 for never: an interval goes on where it was, and what was missed
 * meanwhile is made up for by one run, spread so that tasks that all missed theirs do not start
 * together. A time in the future counts as now.
 */
void schedule_begin(struct schedule *schedule, const struct schedule_rule *rule,
                    const struct schedule_now *now, int64_t last_run, uint64_t seed);

/* The planned run starts now. */
void schedule_started(struct schedule *schedule);

/* Sets due to the first start after now, after as many failures in a row. Returns it. */
rv_duration schedule_plan(struct schedule *schedule, const struct schedule_now *now,
                          unsigned failures);

/* A run starts now for a point that was missed: what is missed from here on is counted from now. */
void schedule_resumed(struct schedule *schedule, const struct schedule_now *now);

/* The time of day was set: sets due anew, after as many failures in a row. A planned point that has passed by it is due now; a clock
 * set back lets points come again. */
rv_duration schedule_clock_was_set(struct schedule *schedule, const struct schedule_now *now,
                                   unsigned failures);

/* How many points have come and passed while a run went on that began for the present one; at most
 * about a thousand are counted. */
uint64_t schedule_missed(const struct schedule *schedule, rv_duration since,
                         const struct schedule_now *now);

/* The next points of a schedule by the wall clock, from the planned one on: real times without jitter,
 * 0 where there are no more. All 0 for an interval. */
void schedule_points(const struct schedule *schedule, int64_t *points, size_t count);

/* Writes "every 30s", "at Mon..Fri 03:00:00" and the like; "" for a task without schedule. */
void schedule_format(const struct schedule_rule *rule, char *buffer, size_t size);

#endif
