/* SPDX-License-Identifier: MIT */
#include "settings/work_keys.h"

#include <errno.h>
#include <stddef.h>

#include "base/calendar.h"
#include "base/text.h"
#include "settings/keys.h"

/* Own kinds --------------------------------------------------------------- */

static bool never_comes(const struct calendar *calendar)
{
    int64_t point;

    return calendar_next(calendar, -1, &point) < 0;
}

/* One more. */
static const char *parse_at(const char *text, void *target)
{
    struct schedule_rule *rule = target;
    const char *expected = NULL;
    int r;

    if (rule->at_count == SCHEDULE_CALENDARS_MAX)
        return "at most 16 of them for a task";
    r = calendar_parse(text, &rule->at[rule->at_count], &expected);
    if (r == -ENOMEM)
        return setting_no_memory;
    if (r < 0)
        return expected ? expected : "a calendar expression, such as Mon..Fri 03:00 or daily";
    if (never_comes(rule->at[rule->at_count])) {
        calendar_free(rule->at[rule->at_count]);
        return "a date that comes, which this one never does";
    }
    rule->at_count++;
    return NULL;
}

static void format_at(const void *target, char *buffer, size_t size)
{
    const struct schedule_rule *rule = target;
    cleanup_text struct text text = {0};

    for (unsigned i = 0; i < rule->at_count; i++) {
        text_append(&text, i > 0 ? ", " : "");
        calendar_format(rule->at[i], &text);
    }
    string_copy(buffer, size, text_string(&text));
}

static const char *parse_catch_up(const char *text, void *target)
{
    enum schedule_catch_up *catch_up = target;
    bool yes;

    if (bool_parse(text, &yes) < 0)
        return "yes or no";
    *catch_up = yes ? SCHEDULE_CATCH_UP_YES : SCHEDULE_CATCH_UP_NO;
    return NULL;
}

static void format_catch_up(const void *target, char *buffer, size_t size)
{
    static const char *const words[] = {[SCHEDULE_CATCH_UP_BY_KIND] = "",
                                        [SCHEDULE_CATCH_UP_NO] = "no",
                                        [SCHEDULE_CATCH_UP_YES] = "yes"};

    string_copy(buffer, size, words[*(const enum schedule_catch_up *)target]);
}

static const struct setting_own at = {
    .type = "calendar",
    .allowed = "a calendar expression, such as Mon..Fri 03:00 or daily",
    .parse = parse_at,
    .format = format_at,
};
static const struct setting_own catch_up = {
    .type = "bool",
    .allowed = "yes or no",
    .parse = parse_catch_up,
    .format = format_catch_up,
};

static const char *const overlaps[] = {
    [TASK_OVERLAP_SKIP] = "skip", [TASK_OVERLAP_QUEUE] = "queue", NULL};
static const char *const on_errors[] = {[TASK_ON_ERROR_CONTINUE] = "continue",
                                        [TASK_ON_ERROR_RESTART] = "restart",
                                        [TASK_ON_ERROR_STOP] = "stop",
                                        NULL};
static const char *const on_stops[] = {
    [TASK_ON_STOP_CANCEL] = "cancel", [TASK_ON_STOP_FINISH] = "finish", NULL};

/* The tables -------------------------------------------------------------- */

#define TASK(key, kind, member) SETTING_OF(key, SETTING_##kind, struct task_settings, member)
#define POOL(key, kind, member) SETTING_OF(key, SETTING_##kind, struct pool_settings, member)

/* Of a duration. */
#define BOUNDED .maximum = SETTINGS_LONGEST

const struct setting task_keys[] = {
    {TASK("every", DURATION, schedule.every), BOUNDED, .minimum = NSEC_PER_MSEC,
     .flags = SETTING_NEVER, .example = "30s",
     .help = "interval between the starts of runs, or never: then it runs on request only"},
    {TASK("at", OWN, schedule), .own = &at, .flags = SETTING_REPEATED, .example = "Mon..Fri 03:00",
     .help = "points of the wall clock when it runs, in the syntax of systemd.time(7)"},
    {TASK("align", BOOL, schedule.align), .fallback = "no",
     .help = "whether the interval is counted from the epoch (UTC): 1h runs on the hour"},
    {TASK("offset", DURATION, schedule.offset), BOUNDED, .fallback = "0s",
     .help = "puts every point off by this much"},
    {TASK("jitter", DURATION, schedule.jitter), BOUNDED, .fallback = "0s",
     .help = "puts each start off by a random part of this"},
    {TASK("catch-up", OWN, schedule.catch_up), .own = &catch_up, .example = "yes",
     .help = "whether one run at the start stands for those that were missed while nothing ran"},
    {TASK("backoff", DURATION, schedule.backoff), BOUNDED, .fallback = "0s",
     .help = "no run for so long after a failure; doubles with each further one"},
    {TASK("backoff-max", DURATION, schedule.backoff_max), BOUNDED, .fallback = "10min",
     .help = "longest pause of backoff"},
    {TASK("timeout", DURATION, timeout), BOUNDED, .example = "1min",
     .help = "time after which a run is cancelled; none by default"},
    {TASK("grace", DURATION, grace), BOUNDED, .fallback = "5s",
     .help = "time for a run to honour its cancel; then its stack is noted and its host is killed"},
    {TASK("overlap", CHOICE, overlap), .choices = overlaps, .fallback = "skip",
     .help = "what becomes of a run that is due during another one"},
    {TASK("on-error", CHOICE, on_error), .choices = on_errors, .fallback = "continue",
     .help = "what follows the failure of a run: continue, restart the module, or stop the task"},
    {TASK("on-stop", CHOICE, on_stop), .choices = on_stops, .fallback = "cancel",
     .help = "what a stop of the module does to a run: cancel it, or let it finish within the "
             "drain"},
    {NULL},
};

const struct setting pool_keys[] = {
    {POOL("workers", INTEGER, workers), .minimum = 1, .maximum = 200, .example = "4",
     .help = "jobs that run at once; by default as many as there are processors"},
    {POOL("queue", INTEGER, queue), .minimum = 1, .maximum = 1000000, .fallback = "1024",
     .help = "jobs that can wait"},
    {POOL("retries", INTEGER, retries), .maximum = 1000, .fallback = "0",
     .help = "further attempts after a failure"},
    {POOL("timeout", DURATION, timeout), BOUNDED, .example = "1min",
     .help = "time after which an attempt is cancelled; none by default"},
    {POOL("backoff", DURATION, backoff), BOUNDED, .fallback = "100ms",
     .help = "pause before the first retry, 0 for none; doubles with each further one"},
    {POOL("backoff-max", DURATION, backoff_max), BOUNDED, .fallback = "1min",
     .help = "longest pause of backoff, give or take a quarter"},
    {POOL("grace", DURATION, grace), BOUNDED, .fallback = "5s",
     .help = "time for a job to honour its cancel; then its stack is noted and its host is killed"},
    {NULL},
};

void schedule_rule_drop_calendars(struct schedule_rule *rule)
{
    for (unsigned i = 0; i < rule->at_count; i++)
        calendar_free(rule->at[i]);
    rule->at_count = 0;
}
