/* SPDX-License-Identifier: MIT */
/* The common part of the two kinds of schedule, and the functions of each. */
#ifndef REEVE_HOST_SCHEDULE_SCHEDULE_INTERNAL_H
#define REEVE_HOST_SCHEDULE_SCHEDULE_INTERNAL_H

#include "base/duration.h"
#include "host/schedule/schedule.h"

/* Shorter intervals are not kept over a restart of the daemon: to run at once is as good. */
#define KEPT_FROM RV_MINUTE

/* schedule.c -------------------------------------------------------------- */

/* From 0 to the limit. */
rv_duration schedule_draw(struct schedule *schedule, rv_duration limit);
/* How long a run that makes up for others is put off, for points that are so far apart. */
rv_duration schedule_spread(struct schedule *schedule, rv_duration interval);
bool schedule_catches_up(const struct schedule_rule *rule);
/* The pause after so many failures. */
rv_duration schedule_backoff(const struct schedule_rule *rule, unsigned failures);
/* The part that may be left of the pause at the beginning of a schedule. */
rv_duration schedule_pause_left(const struct schedule_rule *rule, const struct schedule_now *now,
                                const struct schedule_past *past);
/* One run makes up for what has passed, so long from now. */
void schedule_plan_late(struct schedule *schedule, const struct schedule_now *now,
                        rv_duration delay);

/* schedule_grid.c: intervals, on the monotonic clock ---------------------- */

void grid_begin(struct schedule *schedule, const struct schedule_now *now,
                const struct schedule_past *past, struct schedule_gap *gap);
rv_time grid_next(const struct schedule *schedule, rv_time after);
void grid_plan(struct schedule *schedule, rv_time base);
/* As schedule_set_pause(), for a pause until then. */
void grid_pause(struct schedule *schedule, const struct schedule_now *now, rv_time until);
/* The first point that is neither run nor skipped. */
void grid_open(struct schedule *schedule, rv_time point);

/* schedule_clock.c: points of the wall clock ------------------------------ */

void clock_begin(struct schedule *schedule, const struct schedule_now *now,
                 const struct schedule_past *past, struct schedule_gap *gap);
/* The first point after a real time; INT64_MAX: there is none any more. */
int64_t clock_next(const struct schedule_rule *rule, int64_t after);
void clock_plan(struct schedule *schedule, const struct schedule_now *now, int64_t point);
/* As schedule_set_pause(), for the pause that not_before ends. */
void clock_pause(struct schedule *schedule, const struct schedule_now *now);
/* The real time, or the last point where a slowed clock has fallen behind it. */
int64_t clock_after_last(const struct schedule *schedule, int64_t realtime);
/* How many points there are after one time, up to another. */
uint64_t clock_count(const struct schedule_rule *rule, int64_t after, int64_t until,
                     int64_t *ret_first, int64_t *ret_last);
/* How far the wall clock is ahead of the monotonic one changes only when it is set. */
void clock_look(struct schedule *schedule, const struct schedule_now *now);
/* Whether the clock is no further back than when the last point was settled. */
bool clock_is_on_track(const struct schedule *schedule, const struct schedule_now *now);
void clock_settle(struct schedule *schedule, int64_t until);

#endif
