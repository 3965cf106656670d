/* SPDX-License-Identifier: MIT */
/*
 * Points of the wall clock: calendars, and intervals that are aligned. The clock may be set at any
 * time, and may be wrong for a while; what has run or was skipped is not to come again when it is
 * right again.
 */
#include "base/calendar.h"
#include "base/macro.h"
#include "host/schedule/schedule_internal.h"

/* A clock that is slowed may fall behind a point that has just been used by so much. One that is
 * set back by more repeats its points. */
#define SLEW_MAX RV_MINUTE

#define TRACK_UNKNOWN INT64_MAX

/* Three months of days, or four days of hours; in a winter in which no zone of today changes its
 * clocks. */
#define SHORTEST_POINTS 100
#define SHORTEST_FROM   (365 * 24 * RV_HOUR)

static int64_t next_aligned(rv_duration every, int64_t after)
{
    int64_t point;

    return __builtin_add_overflow(after / every * every, every, &point) ? INT64_MAX : point;
}

/* The first point after a real time; INT64_MAX: there is none any more. */
int64_t clock_next(const struct schedule_rule *rule, int64_t after)
{
    int64_t earliest = INT64_MAX, point;

    after -= rule->offset;
    if (rule->align && rule->every > 0)
        earliest = next_aligned(rule->every, after);
    for (unsigned i = 0; i < rule->at_count; i++)
        if (calendar_next(rule->at[i], after, &point) == 0)
            earliest = MIN(earliest, point);
    return duration_add(earliest, rule->offset);
}

rv_duration schedule_shortest(const struct schedule_rule *rule)
{
    rv_duration shortest = RV_FOREVER;
    int64_t point, next;

    if (!schedule_is_of_wall_clock(rule))
        return rule->every > 0 ? rule->every : RV_FOREVER;
    point = clock_next(rule, SHORTEST_FROM);
    for (int i = 0; i < SHORTEST_POINTS && point != INT64_MAX; i++, point = next) {
        next = clock_next(rule, point);
        if (next != INT64_MAX)
            shortest = MIN(shortest, next - point);
    }
    return shortest;
}

static void put_off(struct schedule *schedule, const struct schedule_now *now, int64_t point,
                    rv_duration by)
{
    schedule->planned = point;
    schedule->put_off = by;
    schedule->late = false;
    schedule->due = point == INT64_MAX
                        ? RV_NEVER
                        : duration_add(now->monotonic,
                                       MAX(duration_add(point - now->realtime, by), INT64_C(0)));
}

void clock_plan(struct schedule *schedule, const struct schedule_now *now, int64_t point)
{
    schedule->open_realtime = point;
    put_off(schedule, now, point, schedule_draw(schedule, schedule->rule->jitter));
}

int64_t clock_after_last(const struct schedule *schedule, int64_t realtime)
{
    bool behind = schedule->last > realtime && schedule->last - realtime < SLEW_MAX;

    return behind ? schedule->last : realtime;
}

/* How many points there are after one time, up to another. */
uint64_t clock_count(const struct schedule_rule *rule, int64_t after, int64_t until,
                     int64_t *ret_first, int64_t *ret_last)
{
    uint64_t count = 0;

    while (count < SCHEDULE_MISSED_MAX && (after = clock_next(rule, after)) <= until) {
        *ret_last = after;
        if (count++ == 0)
            *ret_first = after;
    }
    return count;
}

static void make_up_for_clock(struct schedule *schedule, const struct schedule_now *now,
                              const struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    rv_duration left = duration_add(gap->last, rule->jitter) - now->realtime;

    schedule->open_realtime = gap->first;
    if (left >= 0) {
        put_off(schedule, now, gap->last, rule->jitter - left + schedule_draw(schedule, left));
        return;
    }
    schedule->planned = now->realtime;
    schedule_plan_late(
        schedule, now,
        schedule_catches_up(rule)
            ? schedule_spread(schedule, clock_next(rule, now->realtime) - now->realtime)
            : 0);
}

/* How far the wall clock is ahead of the monotonic one changes only when it is set. */
void clock_look(struct schedule *schedule, const struct schedule_now *now)
{
    schedule->clock = now->realtime - now->monotonic;
}

/* Whether the clock is no further back than when the last point was settled. How it went before
 * this schedule began is not known; but then no point is between it and what was settled. */
bool clock_is_on_track(const struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule->track == TRACK_UNKNOWN)
        return clock_next(schedule->rule, now->realtime) > schedule->settled;
    return now->realtime - now->monotonic >= schedule->track - SLEW_MAX;
}

void clock_settle(struct schedule *schedule, int64_t until)
{
    schedule->settled = until;
    schedule->track = schedule->clock;
}

/* Plans for the points of the gap, unless they are skipped, or for the next one. */
static void follow_gap(struct schedule *schedule, const struct schedule_now *now, bool owed,
                       int64_t after, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;

    gap->skipped = gap->missed > 0 && !owed && !schedule_catches_up(rule) &&
                   duration_add(gap->last, rule->jitter) < now->realtime;
    if (gap->missed == 0 || gap->skipped)
        clock_plan(schedule, now, clock_next(rule, after));
    else
        make_up_for_clock(schedule, now, gap);
}

/* Until when all points are settled, as this rule has them. */
static int64_t settled_on_clock(const struct schedule_rule *rule, const struct schedule_now *now,
                                const struct schedule_past *past)
{
    rv_duration pause = schedule_pause_left(rule, now, past);
    int64_t settled = MIN(past->settled, duration_add(now->realtime, pause));

    /* Nothing had come when another rule was in force: what this one has before now was never due.
     */
    if (past->settled == 0 || past->open > now->realtime)
        settled = MAX(settled, now->realtime);
    /* A pause that is known goes on, after an interval too. */
    if (past->open > now->realtime && past->pause_until > now->realtime)
        settled = MAX(settled, duration_add(now->realtime, pause));
    /* The first open point has not run, even where a pause after failures or a clock that was wrong
     * has settled later points. And a pause that goes on ends before that point. */
    if (past->open > 0)
        settled = MIN(settled, past->open - 1);
    return settled;
}

/* Whether a point is there, or right after it: the last that was settled, or the first that is
 * open. */
static bool is_of_rule(const struct schedule_rule *rule, int64_t settled)
{
    int64_t next = clock_next(rule, settled - 1);

    return next == settled || next == settled + 1;
}

void clock_begin(struct schedule *schedule, const struct schedule_now *now,
                 const struct schedule_past *past, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t settled = settled_on_clock(rule, now, past), first, last;
    int64_t passed = MIN(past->passed_until, now->realtime);

    if (passed > settled) {
        gap->in_run = clock_count(rule, settled, passed, &first, &last);
        settled = passed;
    }
    gap->missed = clock_count(rule, settled, now->realtime, &gap->first, &gap->last);
    /* Of a rule that is gone; it had come all the same. */
    if (gap->missed == 0 && past->open > settled && past->open <= now->realtime) {
        gap->missed = 1;
        gap->first = gap->last = past->open;
    }
    if (settled > now->realtime)
        schedule->not_before = now->monotonic + (settled - now->realtime);
    schedule->begun = now->monotonic;
    clock_look(schedule, now);
    /* A stamp that is ahead is of a clock that was wrong, or this one is: that will be seen. Where
     * the clock has not been set back, or no point of this rule is there, it is of another rule: of
     * this one's points nothing is settled ahead. Nor is it when there is none before it. */
    if (past->settled > now->realtime && (past->set_back || past->open == 0) &&
        is_of_rule(rule, past->settled) && clock_next(rule, now->realtime) <= past->settled) {
        schedule->settled = past->settled;
        schedule->track = TRACK_UNKNOWN;
    } else {
        schedule->settled = MIN(settled, now->realtime);
        schedule->track = schedule->clock;
    }
    follow_gap(schedule, now, past->owed, MAX(settled, now->realtime), gap);
    if (schedule->open_realtime > now->realtime)
        schedule->settled = MAX(schedule->settled, now->realtime);
}

/* A plan by a clock that was wrong is void, now that it is right again. */
static void put_right(struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_gap *gap)
{
    int64_t begun = now->realtime - (now->monotonic - schedule->begun);

    gap->missed =
        clock_count(schedule->rule, schedule->settled, now->realtime, &gap->first, &gap->last);
    gap->stepped = gap->missed > 0 && gap->last >= begun;
    follow_gap(schedule, now, gap->stepped, clock_after_last(schedule, now->realtime), gap);
    if (gap->missed == 0 || gap->skipped)
        clock_settle(schedule, now->realtime);
}

/* The planned point has passed. */
static void step_over(struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_gap *gap)
{
    uint64_t count;

    put_off(schedule, now, schedule->planned, schedule->put_off);
    if (schedule->due > now->monotonic)
        return;
    count =
        clock_count(schedule->rule, schedule->planned - 1, now->realtime, &gap->first, &gap->last);
    gap->missed = count > 1 ? count : 0;
    gap->stepped = true;
}

/* Plans for the first point after now and the pause; one that is planned already keeps its jitter.
 */
static void plan_ahead(struct schedule *schedule, const struct schedule_now *now)
{
    int64_t after = clock_after_last(schedule, now->realtime);
    rv_duration pause = MAX(schedule->not_before - now->monotonic, INT64_C(0));
    int64_t next = clock_next(schedule->rule, MAX(after, duration_add(now->realtime, pause)));

    if (next == schedule->planned)
        put_off(schedule, now, next, schedule->put_off);
    else
        clock_plan(schedule, now, next);
}

void clock_pause(struct schedule *schedule, const struct schedule_now *now)
{
    rv_duration pause = MAX(schedule->not_before - now->monotonic, INT64_C(0));

    clock_look(schedule, now);
    if (!schedule->late && schedule->planned > now->realtime) {
        plan_ahead(schedule, now);
    } else if (schedule->due < schedule->not_before || (schedule->late && pause == 0)) {
        /* It has come, and is owed. Those that come until its start are left out as others are. */
        schedule->planned = duration_add(now->realtime, pause);
        schedule_plan_late(schedule, now, pause);
    }
}

void schedule_left_out(const struct schedule *schedule, const struct schedule_now *now,
                       unsigned failures, struct schedule_gap *ret_gap)
{
    const struct schedule_rule *rule = schedule->rule;
    rv_duration delay = schedule_backoff(rule, failures);

    *ret_gap = (struct schedule_gap){0};
    if (delay > 0 && schedule_is_of_wall_clock(rule))
        ret_gap->missed =
            clock_count(rule, clock_after_last(schedule, now->realtime),
                        duration_add(now->realtime, delay), &ret_gap->first, &ret_gap->last);
}

rv_duration schedule_clock_was_set(struct schedule *schedule, const struct schedule_now *now,
                                   struct schedule_gap *ret_gap)
{
    int64_t came = schedule->late ? schedule->open_realtime : schedule->planned;
    rv_duration moved = now->realtime - now->monotonic - schedule->clock;
    /* Without a known track the clock is taken to be right again when it has stepped over the
     * point, and not when that had come before; unless it has been set meanwhile. */
    bool by_itself =
        came <= now->monotonic + schedule->clock && moved < SLEW_MAX && moved > -SLEW_MAX;

    *ret_gap = (struct schedule_gap){0};
    if (!schedule_is_of_wall_clock(schedule->rule))
        return schedule->due;
    clock_look(schedule, now);
    if (came == 0 || came > now->realtime)
        plan_ahead(schedule, now);
    else if (came <= schedule->settled && clock_is_on_track(schedule, now) &&
             !(by_itself && schedule->track == TRACK_UNKNOWN))
        put_right(schedule, now, ret_gap);
    else if (!schedule->late)
        step_over(schedule, now, ret_gap);
    return schedule->due;
}
