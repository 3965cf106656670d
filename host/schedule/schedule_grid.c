/* SPDX-License-Identifier: MIT */
/*
 * Intervals: points a whole number of intervals from a base, on the monotonic clock. Where they lay
 * in real time is handed on, so that the grid goes on over a restart.
 */
#include "base/macro.h"
#include "host/schedule/schedule_internal.h"

rv_time grid_next(const struct schedule *schedule, rv_time after)
{
    rv_duration every = schedule->rule->every;

    if (after < schedule->first)
        return schedule->first;
    return duration_add(schedule->first, ((after - schedule->first) / every + 1) * every);
}

/* A machine that was started a short while ago may have points from before that. */
void grid_open(struct schedule *schedule, rv_time point)
{
    schedule->open = MAX(point, INT64_C(1));
}

void grid_plan(struct schedule *schedule, rv_time base)
{
    schedule->base = base;
    grid_open(schedule, base);
    schedule->late = false;
    schedule->due = duration_add(base, schedule_draw(schedule, schedule->rule->jitter));
}

void grid_pause(struct schedule *schedule, const struct schedule_now *now, rv_time until)
{
    rv_time next = grid_next(schedule, until);

    if (schedule->late || schedule->base <= now->monotonic) {
        /* It has come, and is owed. Those that come until its start are left out as others are. */
        if (schedule->due < until || (schedule->late && until <= now->monotonic)) {
            schedule->base = next == RV_FOREVER ? until : next - schedule->rule->every;
            schedule_plan_late(schedule, now, until - now->monotonic);
        }
    } else if (next != schedule->base) {
        grid_plan(schedule, next);
    }
}

/* since: so long ago was the point before the first open one; no less than an interval. */
static void make_up_for_grid(struct schedule *schedule, const struct schedule_now *now,
                             rv_duration since, const struct schedule_past *past,
                             struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    rv_duration newest = since % rule->every; /* ago */

    gap->missed = (uint64_t)MIN(since / rule->every, (rv_duration)SCHEDULE_MISSED_MAX);
    gap->first = now->realtime - since + rule->every;
    gap->last = now->realtime - newest;
    schedule->base = now->monotonic - newest;
    grid_open(schedule, now->monotonic - since + rule->every);
    if (newest <= rule->jitter && rule->jitter > 0) {
        schedule_plan_late(schedule, now, schedule_draw(schedule, rule->jitter - newest));
    } else if (past->owed || schedule_catches_up(rule)) {
        bool together = schedule_catches_up(rule) && schedule_is_kept(rule);

        if (!past->owed)
            schedule->base = now->monotonic;
        schedule_plan_late(schedule, now, together ? schedule_spread(schedule, rule->every) : 0);
    } else {
        gap->skipped = true;
        grid_plan(schedule, schedule->base + rule->every);
    }
}

void grid_begin(struct schedule *schedule, const struct schedule_now *now,
                const struct schedule_past *past, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    /* A plan may lie so far ahead; one that is further was made by a clock that was wrong. */
    rv_duration pause = schedule_pause_left(rule, now, past);
    rv_duration ahead = duration_add(rule->offset, pause);
    rv_duration since = MAX(now->realtime - past->settled, -ahead);
    int64_t passed = MIN(past->passed_until, now->realtime) - past->settled;

    if (past->settled == 0) {
        grid_plan(schedule, duration_add(now->monotonic, rule->offset));
        schedule->first = schedule->base;
        /* Again in another life: to begin anew is as good, unless that would go on for ever. */
        if (duration_add(rule->offset, rule->jitter) < KEPT_FROM)
            schedule->open = 0;
        return;
    }
    if (passed >= rule->every) {
        gap->in_run = (uint64_t)(passed / rule->every);
        since -= passed / rule->every * rule->every;
    }
    /* Nothing had come when a longer interval was in force: what this one has before now was never
     * due. */
    if (past->open > now->realtime && since >= rule->every)
        since %= rule->every;
    /* A pause goes on whatever the interval is now. */
    if (past->open > now->realtime && past->pause_until > now->realtime)
        since = MIN(since, rule->every - pause);
    if (since < rule->every)
        grid_plan(schedule, now->monotonic - since + rule->every);
    else
        make_up_for_grid(schedule, now, since, past, gap);
    schedule->first = schedule->base;
    /* It goes on; what it leaves out may still come. */
    if (since < 0 && pause > 0) {
        schedule->not_before = now->monotonic - since;
        schedule->first -=
            (schedule->base - now->monotonic + rule->every - 1) / rule->every * rule->every;
    }
}
