/* SPDX-License-Identifier: MIT */
#include "host/schedule/schedule.h"

#include <stdio.h>

#include "base/calendar.h"
#include "base/duration.h"
#include "base/macro.h"
#include "base/text.h"
#include "host/schedule/schedule_internal.h"

/* Runs that were missed are spread over a tenth of their interval, and over no more than this. */
#define SPREAD_MAX (30 * RV_SECOND)

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
rv_duration schedule_draw(struct schedule *schedule, rv_duration limit)
{
    uint64_t x = schedule->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    schedule->random = x;
    return limit <= 0 ? 0
                      : (rv_duration)((x * UINT64_C(2685821657736338717)) % ((uint64_t)limit + 1));
}

bool schedule_catches_up(const struct schedule_rule *rule)
{
    return rule->catch_up == SCHEDULE_CATCH_UP_YES ||
           (rule->catch_up == SCHEDULE_CATCH_UP_BY_KIND && !schedule_is_of_wall_clock(rule));
}

rv_duration schedule_spread(struct schedule *schedule, rv_duration interval)
{
    rv_duration jitter = schedule->rule->jitter;

    return schedule_draw(schedule, jitter > 0 ? jitter : MIN(SPREAD_MAX, interval / 10));
}

rv_duration schedule_backoff(const struct schedule_rule *rule, unsigned failures)
{
    rv_duration delay = rule->backoff;

    if (failures == 0 || delay == 0)
        return 0;
    while (--failures > 0 && delay < rule->backoff_max)
        delay = duration_add(delay, delay);
    return MIN(delay, MAX(rule->backoff_max, rule->backoff));
}

rv_duration schedule_pause_left(const struct schedule_rule *rule, const struct schedule_now *now,
                                const struct schedule_past *past)
{
    rv_duration pause = schedule_backoff(rule, past->failures);

    return past->pause_until == 0 ? pause
                                  : MIN(pause, MAX(past->pause_until - now->realtime, INT64_C(0)));
}

void schedule_plan_late(struct schedule *schedule, const struct schedule_now *now,
                        rv_duration delay)
{
    schedule->late = true;
    schedule->due = duration_add(now->monotonic, delay);
}

/* Until not_before. */
static void put_off_for_pause(struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule_is_of_wall_clock(schedule->rule))
        clock_pause(schedule, now);
    else if (schedule->rule->every > 0)
        grid_pause(schedule, now, MAX(schedule->not_before, now->monotonic));
}

void schedule_begin(struct schedule *schedule, const struct schedule_rule *rule,
                    const struct schedule_now *now, const struct schedule_past *past, uint64_t seed,
                    struct schedule_gap *ret_gap)
{
    *schedule = (struct schedule){.rule = rule, .random = seed ? seed : 1, .due = RV_NEVER};
    *ret_gap = (struct schedule_gap){0};
    if (schedule_is_of_wall_clock(rule))
        clock_begin(schedule, now, past, ret_gap);
    else if (rule->every > 0)
        grid_begin(schedule, now, past, ret_gap);
    if (past->pause_until <= now->realtime || schedule_pause_left(rule, now, past) == 0)
        return;
    /* For the next schedule as well, whatever this one plans. */
    schedule->not_before = duration_add(now->monotonic, schedule_pause_left(rule, now, past));
    /* A point that has come waits for the end of the pause again. */
    if (past->open <= now->realtime && !ret_gap->skipped && schedule->due != RV_NEVER)
        put_off_for_pause(schedule, now);
}

void schedule_started(struct schedule *schedule)
{
    schedule->late = false;
    schedule->not_before = 0;
    if (schedule_is_of_wall_clock(schedule->rule)) {
        schedule->last = schedule->planned;
        schedule->planned = 0;
        /* One that comes again, as the clock was set back, leaves what was settled before. */
        if (schedule->last > schedule->settled)
            clock_settle(schedule, schedule->last);
        schedule->open_realtime = clock_next(schedule->rule, schedule->last);
    } else {
        schedule->first = schedule->base;
        grid_open(schedule, duration_add(schedule->base, schedule->rule->every));
    }
}

void schedule_hand_on(const struct schedule *schedule, const struct schedule_now *now,
                      struct schedule_past *ret_past)
{
    const struct schedule_rule *rule = schedule->rule;

    *ret_past = (struct schedule_past){0};
    if (schedule->not_before > 0)
        ret_past->pause_until = now->realtime + (schedule->not_before - now->monotonic);
    if (schedule_is_of_wall_clock(rule)) {
        ret_past->open = schedule->open_realtime;
        ret_past->settled = ret_past->open - 1;
        ret_past->set_back = !clock_is_on_track(schedule, now);
        /* As a stamp of this rule, right before a point of it. */
        if (ret_past->set_back)
            ret_past->settled = MAX(ret_past->settled, clock_next(rule, schedule->settled) - 1);
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
        schedule->base = grid_next(schedule, now->monotonic) - schedule->rule->every;
    schedule->due = now->monotonic;
}

void schedule_pass(struct schedule *schedule, const struct schedule_now *now)
{
    if (schedule_is_of_wall_clock(schedule->rule)) {
        schedule->open_realtime =
            clock_next(schedule->rule, clock_after_last(schedule, now->realtime));
        clock_look(schedule, now);
        if (clock_is_on_track(schedule, now))
            clock_settle(schedule, MAX(schedule->settled, now->realtime));
    } else if (schedule->rule->every > 0) {
        grid_open(schedule, grid_next(schedule, now->monotonic));
    }
}

rv_duration schedule_plan(struct schedule *schedule, const struct schedule_now *now,
                          unsigned failures)
{
    rv_duration delay = schedule_backoff(schedule->rule, failures);

    schedule->not_before = delay > 0 ? duration_add(now->monotonic, delay) : 0;
    clock_look(schedule, now);
    if (schedule_is_of_wall_clock(schedule->rule)) {
        int64_t after = clock_after_last(schedule, now->realtime);

        clock_plan(schedule, now,
                   clock_next(schedule->rule, MAX(after, duration_add(now->realtime, delay))));
    } else if (schedule->rule->every > 0) {
        grid_plan(schedule, grid_next(schedule, duration_add(now->monotonic, delay)));
    }
    return schedule->due;
}

void schedule_set_pause(struct schedule *schedule, const struct schedule_now *now,
                        unsigned failures)
{
    rv_duration delay = schedule_backoff(schedule->rule, failures);

    if (delay == 0 && schedule->not_before <= now->monotonic)
        return;
    schedule->not_before = delay > 0 ? duration_add(now->monotonic, delay) : 0;
    put_off_for_pause(schedule, now);
}

uint64_t schedule_missed(const struct schedule *schedule, const struct schedule_now *now)
{
    const struct schedule_rule *rule = schedule->rule;
    int64_t first, last;

    if (schedule_is_of_wall_clock(rule))
        return clock_count(rule, schedule->last, now->realtime, &first, &last);
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
            point = clock_next(schedule->rule, point);
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
