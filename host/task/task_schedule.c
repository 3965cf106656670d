/* SPDX-License-Identifier: MIT */
/*
 * A runner's schedule: what it begins with and hands on, what is published of it, and how it
 * follows the time of day and the machine's zone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/text.h"
#include "host/report/log_sink.h"
#include "host/schedule/last_runs.h"
#include "host/schedule/wall_clock.h"
#include "host/task/task_internal.h"
#include "wire/scoreboard.h"

bool task_holds_a_point(const struct task_runner *runner)
{
    return runner->pending && runner->request == 0;
}

void task_write_open(struct task_runner *runner)
{
    const struct schedule *schedule = &runner->schedule;
    struct scoreboard_task *record = runner->record;
    bool held = task_holds_a_point(runner);
    const struct schedule_now now = task_read_clocks();
    struct schedule_past past;

    record->open = record->open_realtime = record->settled_realtime = 0;
    if (schedule_is_of_wall_clock(schedule->rule)) {
        record->open_realtime = held ? runner->held.open_realtime : schedule->open_realtime;
        schedule_hand_on(schedule, &now, &past);
        record->settled_realtime = past.set_back ? past.settled : 0;
    } else if (schedule_is_planned(schedule->rule)) {
        record->open = held ? runner->held.open : schedule->open;
    }
    if (runner->stopped)
        record->passes = SCOREBOARD_PASSES_STOPPED;
    else if (runner->scheduled && runner->settings->overlap == TASK_OVERLAP_SKIP)
        record->passes = SCOREBOARD_PASSES_RUNNING;
    else
        record->passes = SCOREBOARD_PASSES_NONE;
}

struct schedule_now task_read_clocks(void)
{
    return (struct schedule_now){rv_now(), clock_realtime()};
}

static void publish_due(struct task_runner *runner)
{
    struct scoreboard_task *record = runner->record;
    rv_time due = runner->schedule.due;

    scoreboard_write_begin(record);
    record->next_due =
        due == RV_NEVER || runner->stopped || rv_context_err(runner->module->tasks) != 0 ? 0 : due;
    schedule_points(&runner->schedule, record->points, SCOREBOARD_POINTS);
    task_write_open(runner);
    scoreboard_write_end(record);
}

struct rv_context *task_labelled(const struct task_runner *runner)
{
    const struct rv_labels labels = {.task = task_name(runner)};
    struct rv_context *ctx;

    return rv_context_with_labels(runner->module->root, &labels, &ctx, NULL) < 0
               ? rv_context_ref(runner->module->root)
               : ctx;
}

/* "the run of 2026-...", or "3 runs, from ... to ...". */
static void format_gap(const struct schedule_gap *gap, char *buffer, size_t size)
{
    char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

    clock_format(gap->first, first, sizeof(first));
    clock_format(gap->last, last, sizeof(last));
    if (gap->missed == 1)
        snprintf(buffer, size, "the run of %s", first);
    else if (gap->missed < SCHEDULE_MISSED_MAX)
        snprintf(buffer, size, "%llu runs, from %s to %s", (unsigned long long)gap->missed, first,
                 last);
    else
        snprintf(buffer, size, "%llu runs and more, from %s on", (unsigned long long)gap->missed,
                 first);
}

/* Points that fell due while the task was not there are not passed over in silence. */
static void tell_gap(struct task_runner *runner, const struct schedule_gap *gap)
{
    struct rv_context *ctx;
    char text[160];

    if (gap->missed == 0)
        return;
    ctx = task_labelled(runner);
    format_gap(gap, text, sizeof(text));
    if (gap->stepped)
        host_log(ctx, RV_LOG_NOTICE, "makes up for %s: the clock was set", text);
    else if (gap->skipped)
        host_log(ctx, RV_LOG_NOTICE, "skipped %s: nothing ran then, and catch-up = no", text);
    else
        host_log(ctx, RV_LOG_INFO, "makes up for %s: nothing ran then", text);
    rv_context_unref(ctx);
}

/* With the lock. */
static void follow_clock(struct task_runner *runner, const struct schedule_now *now)
{
    struct schedule_gap gap;

    schedule_clock_was_set(&runner->schedule, now, &gap);
    if (gap.missed == 0)
        return;
    runner->stepped = gap;
    if (gap.skipped) {
        scoreboard_write_begin(runner->record);
        runner->record->skipped += gap.missed;
        scoreboard_write_end(runner->record);
    }
}

/* Asked by the runtime: when is the next start? */
static rv_time next_start(void *arg)
{
    struct task_runner *runner = arg;
    struct schedule_now now = task_read_clocks();
    rv_time due;

    pthread_mutex_lock(&runner->lock);
    if (runner->plan == TASK_PLAN_NEXT)
        schedule_plan(&runner->schedule, &now, runner->record->failures_in_row);
    else if (runner->plan == TASK_PLAN_PAUSE)
        schedule_set_pause(&runner->schedule, &now, runner->record->failures_in_row);
    else if (runner->plan == TASK_PLAN_AGAIN)
        follow_clock(runner, &now);
    runner->plan = TASK_PLAN_AGAIN;
    publish_due(runner);
    due = runner->schedule.due;
    pthread_mutex_unlock(&runner->lock);
    return due;
}

void task_plan_pause(struct task_runner *runner)
{
    const struct schedule_rule *rule = &runner->settings->schedule;
    bool anew;

    if (rule->backoff == 0 || !schedule_is_planned(rule))
        return;
    pthread_mutex_lock(&runner->lock);
    anew = !runner->stopped && runner->plan != TASK_PLAN_NEXT;
    if (anew)
        runner->plan = TASK_PLAN_PAUSE;
    pthread_mutex_unlock(&runner->lock);
    if (anew)
        rv_periodic_reschedule(runner->periodic);
}

void task_tell_left_out(struct task_runner *runner)
{
    struct schedule_now now = task_read_clocks();
    struct schedule_gap gap;
    struct rv_context *ctx;
    char text[160];

    pthread_mutex_lock(&runner->lock);
    schedule_left_out(&runner->schedule, &now, runner->record->failures_in_row, &gap);
    pthread_mutex_unlock(&runner->lock);
    if (gap.missed == 0)
        return;
    ctx = task_labelled(runner);
    format_gap(&gap, text, sizeof(text));
    host_log(ctx, RV_LOG_NOTICE, "leaves out %s: the pause after a failure (backoff)", text);
    rv_context_unref(ctx);
}

static void tell_zone(struct task_runner *runner, int r)
{
    struct rv_context *ctx = task_labelled(runner);

    if (r > 0)
        host_log(ctx, RV_LOG_NOTICE, "the time zone has changed: planned anew");
    else
        host_log(ctx, RV_LOG_WARNING,
                 "the time zone has changed, and cannot be read: %s; its schedule keeps to the one "
                 "before%s",
                 strerror(-r),
                 r == -EACCES ? ". A module with `read-only` can read another file after a restart"
                              : "");
    rv_context_unref(ctx);
}

/* The thread of the wall clock alone changes zones; the lock keeps them from whoever plans by them.
 * Returns 1 for a new zone, 0, or a negative errno. */
static int take_new_zone(struct task_runner *runner, struct calendar *calendar)
{
    struct zone *zone;
    int r = calendar_look_again(calendar, &zone);

    if (r <= 0)
        return r;
    pthread_mutex_lock(&runner->lock);
    calendar_set_zone(calendar, zone);
    pthread_mutex_unlock(&runner->lock);
    return 1;
}

static void look_at_clock(bool was_set, void *arg)
{
    struct task_runner *runner = arg;
    const struct schedule_rule *rule = &runner->settings->schedule;
    struct schedule_gap stepped;
    bool moved = false;
    int failed = 0;

    for (unsigned i = 0; i < rule->at_count; i++) {
        int r = take_new_zone(runner, rule->at[i]);

        moved = moved || r > 0;
        failed = r < 0 ? r : failed;
    }
    if (failed < 0 && !runner->zone_failing)
        tell_zone(runner, failed);
    runner->zone_failing = failed < 0;
    if (moved)
        tell_zone(runner, 1);
    if (!moved && !was_set)
        return;
    rv_periodic_reschedule(runner->periodic);
    /* The runtime asks for the next start under its own lock, where a line of the log would take
     * too long. */
    pthread_mutex_lock(&runner->lock);
    stepped = runner->stepped;
    runner->stepped.missed = 0;
    pthread_mutex_unlock(&runner->lock);
    tell_gap(runner, &stepped);
}

/* While the gate is shut, or the runner ends, nothing is due: it is no fault that the task does not
 * run. */
void task_expect_nothing(struct task_runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    scoreboard_write_begin(runner->record);
    runner->record->next_due = 0;
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
}

/* Beginning and ending ---------------------------------------------------- */

/* Only a person revives it, or a setting that says otherwise: not a crash, nor options that have
 * changed. */
static void stay_stopped(struct task_runner *runner)
{
    struct scoreboard_task *record = runner->record;
    struct rv_context *ctx = task_labelled(runner);

    runner->stopped = true;
    scoreboard_write_begin(record);
    record->state = SCOREBOARD_TASK_STOPPED;
    /* Of another process its last error is not known. */
    if (record->last_code == 0) {
        record->last_code = -ECANCELED;
        string_copy(record->last_text, sizeof(record->last_text),
                    "it has failed, and is stopped (on-error = stop)");
    }
    scoreboard_write_end(record);
    host_log(
        ctx, RV_LOG_WARNING,
        "is still stopped for its failure (on-error = stop): reevectl restart %s starts it again",
        runner->module->name);
    rv_context_unref(ctx);
}

void task_begin_schedule(struct task_runner *runner, const struct last_runs *last_runs)
{
    struct scoreboard_task *record = runner->record;
    const struct schedule_rule *rule = &runner->settings->schedule;
    const struct schedule_past past = last_runs_find(last_runs, task_name(runner));
    struct schedule_now now = task_read_clocks();
    struct schedule_gap gap;
    uint64_t seed = (uint64_t)now.monotonic;
    bool stopped;

    (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    schedule_begin(&runner->schedule, rule, &now, &past, seed, &gap);
    stopped = past.stopped && !past.revived && runner->settings->on_error == TASK_ON_ERROR_STOP;
    if (stopped)
        gap = (struct schedule_gap){0};
    tell_gap(runner, &gap);
    scoreboard_write_begin(record);
    record->failures_in_row = past.failures;
    record->skipped += (past.stopped ? 0 : gap.in_run) + (gap.skipped ? gap.missed : 0);
    record->interval = rule->every;
    record->kept = schedule_is_kept(rule);
    schedule_format(rule, record->schedule, sizeof(record->schedule));
    record->state = SCOREBOARD_TASK_WAITING;
    scoreboard_write_end(record);
    if (stopped)
        stay_stopped(runner);
    publish_due(runner);
}

int task_start_schedule(struct task_runner *runner, rv_function tick)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .next = next_start};
    const struct schedule_rule *rule = &runner->settings->schedule;
    int r = 0;

    if (runner->stopped)
        return 0;
    if (schedule_is_planned(rule))
        r = rv_periodic_create(runner->module->tasks, &spec, tick, runner, &runner->periodic);
    if (r == 0 && schedule_is_of_wall_clock(rule))
        r = wall_clock_watch(look_at_clock, runner, &runner->clock);
    return r;
}

void task_hand_on(const struct task_runner *runner, struct last_runs *last_runs)
{
    struct schedule_now now = task_read_clocks();
    struct schedule_past past;

    schedule_hand_on(&runner->schedule, &now, &past);
    past.passed_until = runner->stopped ? now.realtime : 0;
    past.stopped = runner->stopped;
    past.failures = runner->record->failures_in_row;
    past.owed = true;
    (void)last_runs_set(last_runs, task_name(runner),
                        &past); /* life_create_runners() has made room */
}
