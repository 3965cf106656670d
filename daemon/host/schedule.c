/* SPDX-License-Identifier: MIT */
#include "daemon/host/schedule.h"

#include <stdio.h>

#include "base/calendar.h"
#include "base/duration.h"
#include "base/macro.h"
#include "base/text.h"

/* Runs that were missed are spread over a tenth of their interval, and over no more than this. */
#define SPREAD_MAX (30 * RV_SECOND)

/* Shorter intervals are not kept over a restart of the daemon: to run at once is as good. */
#define KEPT_FROM RV_MINUTE

/* A clock that is slowed may fall behind a point that has just been used by so much. One that is set
 * back by more repeats its points. */
#define SLEW_MAX RV_MINUTE

#define TRACK_UNKNOWN INT64_MAX

/* Three months of days, or four days of hours; in a winter in which no zone of today changes its clocks. */
#define SHORTEST_POINTS 100
#define SHORTEST_FROM   (365 * 24 * RV_HOUR)

bool schedule_is_of_wall_clock(const struct schedule_rule *rule)
{
    return rule->at_count > 0 || (rule->align && rule->every > 0);
}

bool schedule_is_planned(const struct schedule_rule *rule)
{
    return rule->at_count > 0 || rule->every > 0;
}

bool schedule_is_kept(const struct schedule_rule *rule)
{
    return schedule_is_of_wall_clock(rule) || rule->every >= KEPT_FROM;
}

/* xorshift64*: even enough for jitter. */
static rv_duration draw(struct schedule *schedule, rv_duration limit)
{
    uint64_t x = schedule->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    schedule->random = x;
    return limit <= 0 ? 0
                      : (rv_duration)((x * UINT64_C(2685821657736338717)) % ((uint64_t)limit + 1));
}

static rv_duration add(rv_duration a, rv_duration b)
{
    rv_duration sum;

    return __builtin_add_overflow(a, b, &sum) ? RV_FOREVER : sum;
}

static bool catches_up(const struct schedule_rule *rule)
{
    return rule->catch_up == SCHEDULE_CATCH_UP_YES ||
           (rule->catch_up == SCHEDULE_CATCH_UP_BY_KIND && !schedule_is_of_wall_clock(rule));
}

static rv_duration spread(struct schedule *schedule, rv_duration interval)
{
    rv_duration jitter = schedule->rule->jitter;

    return draw(schedule, jitter > 0 ? jitter : MIN(SPREAD_MAX, interval / 10));
}

static rv_duration backoff(const struct schedule_rule *rule, unsigned failures)
{
    rv_duration delay = rule->backoff;

    if (failures == 0 || delay == 0)
        return 0;
    while (--failures > 0 && delay < rule->backoff_max)
        delay = add(delay, delay);
    return MIN(delay, MAX(rule->backoff_max, rule->backoff));
}

/* One run makes up for what has passed, so long from now. */
static void plan_late(struct schedule *schedule, const struct schedule_now *now, rv_duration delay)
{
    schedule->late = true;
    schedule->due = add(now->monotonic, delay);
}

/* Intervals --------------------------------------------------------------------------------------
 */

static rv_duration next_of_grid(const struct schedule *schedule, rv_duration after)
{
    rv_duration every = schedule->rule->every;

    if (after < schedule->base)
        return schedule->base;
    return add(schedule->base, ((after - schedule->base) / every + 1) * every);
}

/* A machine that was started a short while ago may have points from before that. */
static void open_grid(struct schedule *schedule, rv_duration point)
{
    schedule->open = MAX(point, INT64_C(1));
}

static void plan_grid(struct schedule *schedule, rv_duration base)
{
    schedule->base = base;
    open_grid(schedule, base);
    schedule->late = false;
    schedule->due = add(base, draw(schedule, schedule->rule->jitter));
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
    open_grid(schedule, now->monotonic - since + rule->every);
    if (newest <= rule->jitter && rule->jitter > 0) {
        plan_late(schedule, now, draw(schedule, rule->jitter - newest));
    } else if (past->owed || catches_up(rule)) {
        bool together = catches_up(rule) && schedule_is_kept(rule);

        if (!past->owed)
            schedule->base = now->monotonic;
        plan_late(schedule, now, together ? spread(schedule, rule->every) : 0);
    } else {
        gap->skipped = true;
        plan_grid(schedule, schedule->base + rule->every);
    }
}

static void begin_grid(struct schedule *schedule, const struct schedule_now *now,
                       const struct schedule_past *past, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    /* What was planned may lie so far ahead; what is further was planned by a clock that was wrong. */
    rv_duration ahead = add(rule->offset, backoff(rule, past->failures));
    rv_duration since = MAX(now->realtime - past->settled, -ahead);
    int64_t passed = MIN(past->passed_until, now->realtime) - past->settled;

    if (past->settled == 0) {
        plan_grid(schedule, add(now->monotonic, rule->offset));
        /* Again in another life: to begin anew is as good, unless that would go on for ever. */
        if (add(rule->offset, rule->jitter) < KEPT_FROM)
            schedule->open = 0;
        return;
    }
    if (passed >= rule->every) {
        gap->in_run = (uint64_t)(passed / rule->every);
        since -= passed / rule->every * rule->every;
    }
    /* Nothing had come when a longer interval was in force: what this one has before now was never due. */
    if (past->open > now->realtime && since >= rule->every)
        since %= rule->every;
    if (since < rule->every)
        plan_grid(schedule, now->monotonic - since + rule->every);
    else
        make_up_for_grid(schedule, now, since, past, gap);
}

/* The wall clock ---------------------------------------------------------------------------------
 */

static int64_t next_aligned(rv_duration every, int64_t after)
{
    int64_t point;

    return __builtin_add_overflow(after / every * every, every, &point) ? INT64_MAX : point;
}

/* The first point after a real time; INT64_MAX: there is none any more. */
static int64_t next_of_clock(const struct schedule_rule *rule, int64_t after)
{
    int64_t earliest = INT64_MAX, point;

    after -= rule->offset;
    if (rule->align && rule->every > 0)
        earliest = next_aligned(rule->every, after);
    for (unsigned i = 0; i < rule->at_count; i++)
        if (calendar_next(rule->at[i], after, &point) == 0)
            earliest = MIN(earliest, point);
    return add(earliest, rule->offset);
}

rv_duration schedule_shortest(const struct schedule_rule *rule)
{
    rv_duration shortest = RV_FOREVER;
    int64_t point, next;

    if (!schedule_is_of_wall_clock(rule))
        return rule->every > 0 ? rule->every : RV_FOREVER;
    point = next_of_clock(rule, SHORTEST_FROM);
    for (int i = 0; i < SHORTEST_POINTS && point != INT64_MAX; i++, point = next) {
        next = next_of_clock(rule, point);
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
                        ? RV_FOREVER
                        : add(now->monotonic, MAX(add(point - now->realtime, by), INT64_C(0)));
}

static void plan_point(struct schedule *schedule, const struct schedule_now *now, int64_t point)
{
    schedule->open_realtime = point;
    put_off(schedule, now, point, draw(schedule, schedule->rule->jitter));
}

static int64_t after_last(const struct schedule *schedule, int64_t realtime)
{
    bool behind = schedule->last > realtime && schedule->last - realtime < SLEW_MAX;

    return behind ? schedule->last : realtime;
}

/* How many points there are after one time, up to another. */
static uint64_t count_points(const struct schedule_rule *rule, int64_t after, int64_t until,
                             int64_t *ret_first, int64_t *ret_last)
{
    uint64_t count = 0;

    while (count < SCHEDULE_MISSED_MAX && (after = next_of_clock(rule, after)) <= until) {
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
    rv_duration left = add(gap->last, rule->jitter) - now->realtime;

    schedule->open_realtime = gap->first;
    if (left >= 0) {
        put_off(schedule, now, gap->last, rule->jitter - left + draw(schedule, left));
        return;
    }
    schedule->planned = now->realtime;
    plan_late(schedule, now,
              catches_up(rule)
                  ? spread(schedule, next_of_clock(rule, now->realtime) - now->realtime)
                  : 0);
}

/* How far the wall clock is ahead of the monotonic one changes only when it is set. */
static void look_at_track(struct schedule *schedule, const struct schedule_now *now)
{
    schedule->clock = now->realtime - now->monotonic;
}

/* Whether the clock is no further back than when the last point was settled. How it went before this schedule
 * began is not known; but then no point is between it and what was settled. */
static bool is_on_track(const struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule->track == TRACK_UNKNOWN)
        return next_of_clock(schedule->rule, now->realtime) > schedule->settled;
    return now->realtime - now->monotonic >= schedule->track - SLEW_MAX;
}

static void settle(struct schedule *schedule, int64_t until)
{
    schedule->settled = until;
    schedule->track = schedule->clock;
}

/* Plans for the points of the gap, unless they are skipped, or for the next one. */
static void follow_gap(struct schedule *schedule, const struct schedule_now *now, bool owed,
                       int64_t after, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;

    gap->skipped = gap->missed > 0 && !owed && !catches_up(rule) &&
                   add(gap->last, rule->jitter) < now->realtime;
    if (gap->missed == 0 || gap->skipped)
        plan_point(schedule, now, next_of_clock(rule, after));
    else
        make_up_for_clock(schedule, now, gap);
}

/* Until when all points are settled, as this rule has them. */
static int64_t settled_on_clock(const struct schedule_rule *rule, const struct schedule_now *now,
                                const struct schedule_past *past)
{
    int64_t settled = MIN(past->settled, add(now->realtime, backoff(rule, past->failures)));

    /* Nothing had come when another rule was in force: what this one has before now was never due. */
    if (past->settled == 0 || past->open > now->realtime)
        settled = MAX(settled, now->realtime);
    return settled;
}

static void begin_clock(struct schedule *schedule, const struct schedule_now *now,
                        const struct schedule_past *past, struct schedule_gap *gap)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t settled = settled_on_clock(rule, now, past), first, last;
    int64_t passed = MIN(past->passed_until, now->realtime);

    if (passed > settled) {
        gap->in_run = count_points(rule, settled, passed, &first, &last);
        settled = passed;
    }
    gap->missed = count_points(rule, settled, now->realtime, &gap->first, &gap->last);
    /* Of a rule that is gone; it had come all the same. */
    if (gap->missed == 0 && past->open > settled && past->open <= now->realtime) {
        gap->missed = 1;
        gap->first = gap->last = past->open;
    }
    if (settled > now->realtime)
        schedule->not_before = now->monotonic + (settled - now->realtime);
    schedule->begun = now->monotonic;
    look_at_track(schedule, now);
    /* A stamp that is ahead of the clock is of a clock that was wrong, or this one is: that will be seen. */
    schedule->settled = past->settled > 0 ? past->settled : now->realtime;
    schedule->track = past->settled > now->realtime ? TRACK_UNKNOWN : schedule->clock;
    follow_gap(schedule, now, past->owed, MAX(settled, now->realtime), gap);
    if (schedule->open_realtime > now->realtime)
        schedule->settled = MAX(schedule->settled, now->realtime);
}

/* What was planned by a clock that was wrong is void, now that it is right again. */
static void put_right(struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_gap *gap)
{
    int64_t begun = now->realtime - (now->monotonic - schedule->begun);

    gap->missed =
        count_points(schedule->rule, schedule->settled, now->realtime, &gap->first, &gap->last);
    gap->stepped = gap->missed > 0 && gap->last >= begun;
    follow_gap(schedule, now, gap->stepped, after_last(schedule, now->realtime), gap);
    if (gap->missed == 0 || gap->skipped)
        settle(schedule, now->realtime);
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
        count_points(schedule->rule, schedule->planned - 1, now->realtime, &gap->first, &gap->last);
    gap->missed = count > 1 ? count : 0;
    gap->stepped = true;
}

static void step_back(struct schedule *schedule, const struct schedule_now *now)
{
    int64_t after = after_last(schedule, now->realtime);
    rv_duration pause = MAX(schedule->not_before - now->monotonic, INT64_C(0));
    int64_t next = next_of_clock(schedule->rule, MAX(after, add(now->realtime, pause)));

    if (next == schedule->planned)
        put_off(schedule, now, next, schedule->put_off);
    else
        plan_point(schedule, now, next);
}

rv_duration schedule_clock_was_set(struct schedule *schedule, const struct schedule_now *now,
                                   struct schedule_gap *ret_gap)
{
    int64_t came = schedule->late ? schedule->open_realtime : schedule->planned;

    *ret_gap = (struct schedule_gap){0};
    if (!schedule_is_of_wall_clock(schedule->rule))
        return schedule->due;
    look_at_track(schedule, now);
    if (came == 0 || came > now->realtime)
        step_back(schedule, now);
    else if (came <= schedule->settled && is_on_track(schedule, now))
        put_right(schedule, now, ret_gap);
    else if (!schedule->late)
        step_over(schedule, now, ret_gap);
    return schedule->due;
}

/* Both -------------------------------------------------------------------------------------------
 */

void schedule_begin(struct schedule *schedule, const struct schedule_rule *rule,
                    const struct schedule_now *now, const struct schedule_past *past, uint64_t seed,
                    struct schedule_gap *ret_gap)
{
    *schedule = (struct schedule){.rule = rule, .random = seed ? seed : 1, .due = RV_FOREVER};
    *ret_gap = (struct schedule_gap){0};
    if (schedule_is_of_wall_clock(rule))
        begin_clock(schedule, now, past, ret_gap);
    else if (rule->every > 0)
        begin_grid(schedule, now, past, ret_gap);
}

void schedule_started(struct schedule *schedule)
{
    schedule->late = false;
    schedule->not_before = 0;
    if (schedule_is_of_wall_clock(schedule->rule)) {
        schedule->last = schedule->planned;
        schedule->planned = 0;
        settle(schedule, schedule->last);
        schedule->open_realtime = next_of_clock(schedule->rule, schedule->last);
    } else {
        open_grid(schedule, add(schedule->base, schedule->rule->every));
    }
}

void schedule_hand_on(const struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_past *ret_past)
{
    const struct schedule_rule *rule = schedule->rule;

    *ret_past = (struct schedule_past){0};
    if (schedule_is_of_wall_clock(rule)) {
        ret_past->open = schedule->open_realtime;
        ret_past->settled = ret_past->open - 1;
        if (!is_on_track(schedule, now))
            ret_past->settled = MAX(ret_past->settled, schedule->settled);
    } else if (schedule->open != 0) {
        ret_past->open = now->realtime + (schedule->open - now->monotonic);
        ret_past->settled = ret_past->open - rule->every;
    }
}

void schedule_resume(struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule_is_of_wall_clock(schedule->rule))
        schedule->planned = now->realtime;
    else
        schedule->base = next_of_grid(schedule, now->monotonic) - schedule->rule->every;
    schedule->due = now->monotonic;
}

void schedule_pass(struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule_is_of_wall_clock(schedule->rule)) {
        schedule->open_realtime =
            next_of_clock(schedule->rule, after_last(schedule, now->realtime));
        look_at_track(schedule, now);
        if (is_on_track(schedule, now))
            settle(schedule, MAX(schedule->settled, now->realtime));
    } else if (schedule->rule->every > 0) {
        open_grid(schedule, next_of_grid(schedule, now->monotonic));
    }
}

rv_duration schedule_plan(struct schedule *schedule, const struct schedule_now *now,
                          unsigned failures)
{
    rv_duration delay = backoff(schedule->rule, failures);

    schedule->not_before = delay > 0 ? add(now->monotonic, delay) : 0;
    look_at_track(schedule, now);
    if (schedule_is_of_wall_clock(schedule->rule)) {
        int64_t after = after_last(schedule, now->realtime);

        plan_point(schedule, now,
                   next_of_clock(schedule->rule, MAX(after, add(now->realtime, delay))));
    } else if (schedule->rule->every > 0) {
        plan_grid(schedule, next_of_grid(schedule, add(now->monotonic, delay)));
    }
    return schedule->due;
}

uint64_t schedule_missed(const struct schedule *schedule, const struct schedule_now *now)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t first, last;

    if (schedule_is_of_wall_clock(rule))
        return count_points(rule, schedule->last, now->realtime, &first, &last);
    return rule->every == 0 || now->monotonic < schedule->base
               ? 0
               : (uint64_t)((now->monotonic - schedule->base) / rule->every);
}

void schedule_points(const struct schedule *schedule, int64_t *points, size_t count)
{
    int64_t point = schedule_is_of_wall_clock(schedule->rule) ? schedule->planned : 0;

    for (size_t i = 0; i < count; i++) {
        points[i] = point != INT64_MAX ? point : 0;
        if (points[i] != 0)
            point = next_of_clock(schedule->rule, point);
    }
}

void schedule_format(const struct schedule_rule *rule, char *buffer, size_t size)
{
    cleanup_text struct text text = {0};
    char duration[DURATION_TEXT_SIZE];

    if (rule->every > 0)
        text_append_format(&text, "every %s%s",
                           duration_format(rule->every, duration, sizeof(duration)),
                           rule->align ? ", aligned" : "");
    for (unsigned i = 0; i < rule->at_count; i++) {
        text_append(&text, i == 0 ? "at " : ", ");
        calendar_format(rule->at[i], &text);
    }
    string_copy(buffer, size, text_string(&text));
}
