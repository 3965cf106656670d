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

#define MISSED_MAX 1000

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

/* Intervals --------------------------------------------------------------------------------------
 */

static rv_duration next_of_grid(const struct schedule *schedule, rv_duration after)
{
    rv_duration every = schedule->rule->every;

    if (after < schedule->base)
        return schedule->base;
    return add(schedule->base, ((after - schedule->base) / every + 1) * every);
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

static void begin_grid(struct schedule *schedule, const struct schedule_now *now, int64_t last_run)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t since = MAX(now->realtime - last_run, 0);

    if (last_run == 0) {
        schedule->base = add(now->monotonic, rule->offset);
        schedule->due = add(schedule->base, draw(schedule, rule->jitter));
    } else if (since < rule->every) {
        schedule->base = now->monotonic - since + rule->every;
        schedule->due = add(schedule->base, draw(schedule, rule->jitter));
    } else if (catches_up(rule)) {
        schedule->base = now->monotonic;
        schedule->due =
            add(now->monotonic, schedule_is_kept(rule) ? spread(schedule, rule->every) : 0);
    } else {
        schedule->base = now->monotonic - since % rule->every + rule->every;
        schedule->due = add(schedule->base, draw(schedule, rule->jitter));
    }
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

static void plan_point(struct schedule *schedule, const struct schedule_now *now, int64_t point)
{
    schedule->planned = point;
    schedule->due = point == INT64_MAX ? RV_FOREVER
                                       : add(add(now->monotonic, point - now->realtime),
                                             draw(schedule, schedule->rule->jitter));
}

static int64_t after_last(const struct schedule *schedule, int64_t realtime)
{
    bool behind = schedule->last > realtime && schedule->last - realtime < SLEW_MAX;

    return behind ? schedule->last : realtime;
}

static void begin_clock(struct schedule *schedule, const struct schedule_now *now, int64_t last_run)
{
    int64_t next = next_of_clock(schedule->rule, now->realtime);

    if (last_run > 0 && last_run < now->realtime && catches_up(schedule->rule) &&
        next_of_clock(schedule->rule, last_run) <= now->realtime) {
        schedule->planned = now->realtime;
        schedule->due = add(now->monotonic, spread(schedule, next - now->realtime));
    } else {
        plan_point(schedule, now, next);
    }
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

rv_duration schedule_clock_was_set(struct schedule *schedule, const struct schedule_now *now,
                                   unsigned failures)
{
    if (!schedule_is_of_wall_clock(schedule->rule))
        return schedule->due;
    if (backoff(schedule->rule, failures) > 0)
        return schedule_plan(schedule, now, failures);
    if (schedule->planned != 0 && schedule->planned <= now->realtime)
        schedule->due = now->monotonic;
    else
        plan_point(schedule, now,
                   next_of_clock(schedule->rule, after_last(schedule, now->realtime)));
    return schedule->due;
}

/* Both -------------------------------------------------------------------------------------------
 */

void schedule_begin(struct schedule *schedule, const struct schedule_rule *rule,
                    const struct schedule_now *now, int64_t last_run, uint64_t seed)
{
    *schedule = (struct schedule){.rule = rule, .random = seed ? seed : 1, .due = RV_FOREVER};
    if (schedule_is_of_wall_clock(rule))
        begin_clock(schedule, now, last_run);
    else if (rule->every > 0)
        begin_grid(schedule, now, last_run);
}

void schedule_started(struct schedule *schedule)
{
    schedule->last = schedule->planned;
    schedule->planned = 0;
}

void schedule_resumed(struct schedule *schedule, const struct schedule_now *now)
{
    schedule->last = now->realtime;
}

rv_duration schedule_plan(struct schedule *schedule, const struct schedule_now *now,
                          unsigned failures)
{
    rv_duration delay = backoff(schedule->rule, failures);

    if (schedule_is_of_wall_clock(schedule->rule)) {
        int64_t after = after_last(schedule, now->realtime);

        plan_point(schedule, now,
                   next_of_clock(schedule->rule, MAX(after, add(now->realtime, delay))));
    } else if (schedule->rule->every > 0) {
        schedule->due = add(next_of_grid(schedule, add(now->monotonic, delay)),
                            draw(schedule, schedule->rule->jitter));
    }
    return schedule->due;
}

uint64_t schedule_missed(const struct schedule *schedule, rv_duration since,
                         const struct schedule_now *now)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t point = schedule->last;
    uint64_t missed = 0;

    if (!schedule_is_of_wall_clock(rule))
        return rule->every == 0 || since < schedule->base
                   ? 0
                   : (uint64_t)((now->monotonic - schedule->base) / rule->every -
                                (since - schedule->base) / rule->every);
    while (missed < MISSED_MAX && (point = next_of_clock(rule, point)) <= now->realtime)
        missed++;
    return missed;
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
