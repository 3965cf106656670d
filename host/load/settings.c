/* SPDX-License-Identifier: MIT */
#include "host/load/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/text.h"

static const char duration_expected[] = "a duration with its unit, such as 500ms, 30s or 5min";

static const char *parse_duration(const char *text, void *target)
{
    return duration_parse(text, target) < 0 ? duration_expected : NULL;
}

/* Longer ones are mistakes, and sums of them with the clock must not overflow. */
#define INTERVAL_MAX (3660 * 24 * RV_HOUR)

static const char *parse_interval(const char *text, void *target)
{
    int64_t *interval = target;

    if (strcmp(text, "never") == 0) {
        *interval = 0;
        return NULL;
    }
    return duration_parse(text, interval) < 0 || *interval < RV_MILLISECOND ||
                   *interval > INTERVAL_MAX
               ? "a duration with its unit, of 1ms to ten years, or never"
               : NULL;
}

static const char *parse_part(const char *text, void *target)
{
    int64_t *part = target;

    return duration_parse(text, part) < 0 || *part > INTERVAL_MAX
               ? "a duration with its unit, such as 500ms, 30s or 5min, of at most ten years"
               : NULL;
}

static const char *parse_yes_no(const char *text, void *target)
{
    return bool_parse(text, target) < 0 ? "yes or no" : NULL;
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

static bool never_comes(const struct calendar *calendar)
{
    int64_t point;

    return calendar_next(calendar, -1, &point) < 0;
}

/* One more; the first of a section takes the place of the module's own. */
static const char *parse_at(const char *text, void *target)
{
    struct schedule_rule *rule = target;
    const char *expected = NULL;
    int r;

    if (rule->at_count == SCHEDULE_CALENDARS_MAX)
        return "at most 16 of them for a task";
    r = calendar_parse(text, &rule->at[rule->at_count], &expected);
    if (r < 0)
        return expected ? expected : "a calendar expression, such as Mon..Fri 03:00 or daily";
    if (never_comes(rule->at[rule->at_count])) {
        calendar_free(rule->at[rule->at_count]);
        return "a date that comes, which this one never does";
    }
    rule->at_count++;
    return NULL;
}

static const char *parse_choice(const char *text, void *target, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            memcpy(target, &i, sizeof(i));
            return NULL;
        }
    return "";
}

static const char *parse_overlap(const char *text, void *target)
{
    static const char *const names[] = {"skip", "queue", NULL};

    return parse_choice(text, target, names) ? "skip or queue" : NULL;
}

static const char *parse_on_error(const char *text, void *target)
{
    static const char *const names[] = {"continue", "restart", "stop", NULL};

    return parse_choice(text, target, names) ? "continue, restart or stop" : NULL;
}

static const char *parse_on_stop(const char *text, void *target)
{
    static const char *const names[] = {"cancel", "finish", NULL};

    return parse_choice(text, target, names) ? "cancel or finish" : NULL;
}

static const char *parse_number(const char *text, void *target, long long minimum,
                                long long maximum)
{
    long long number;

    if (integer_parse(text, minimum, maximum, &number) < 0)
        return "";
    *(int64_t *)target = number;
    return NULL;
}

static const char *parse_workers(const char *text, void *target)
{
    return parse_number(text, target, 1, 200) ? "a number from 1 to 200" : NULL;
}

static const char *parse_queue(const char *text, void *target)
{
    return parse_number(text, target, 1, 1000000) ? "a number from 1 to 1000000" : NULL;
}

static const char *parse_retries(const char *text, void *target)
{
    return parse_number(text, target, 0, 1000) ? "a number from 0 to 1000" : NULL;
}

struct setting {
    const char *suffix;
    const char *(*parse)(const char *text, void *target);
    size_t offset;
    const char *fallback; /* when neither the section nor the module's table has it; NULL: zero */
    const char *help;
    bool list; /* may be given several times */
};

#define TASK(member) offsetof(struct task_settings, member)
#define POOL(member) offsetof(struct pool_settings, member)

/* The bit of a key in `given`. */
#define GIVEN_EVERY (UINT32_C(1) << 0)
#define GIVEN_AT    (UINT32_C(1) << 1)

static const struct setting task_table[] = {
    {"every", parse_interval, TASK(schedule.every), NULL,
     "interval between the starts of runs, or never: then it runs on request only"},
    {"at", parse_at, TASK(schedule), NULL,
     "points of the wall clock when it runs, in the syntax of systemd.time(7)", .list = true},
    {"align", parse_yes_no, TASK(schedule.align), "no",
     "whether the interval is counted from the epoch (UTC): 1h runs on the hour"},
    {"offset", parse_part, TASK(schedule.offset), "0", "puts every point off by this much"},
    {"jitter", parse_part, TASK(schedule.jitter), "0",
     "puts each start off by a random part of this"},
    {"catch-up", parse_catch_up, TASK(schedule.catch_up), NULL,
     "whether one run at the start stands for those that were missed while nothing ran"},
    {"backoff", parse_part, TASK(schedule.backoff), "0",
     "no run for so long after a failure; doubles with each further one"},
    {"backoff-max", parse_part, TASK(schedule.backoff_max), "10min", "longest pause of backoff"},
    {"timeout", parse_duration, TASK(timeout), NULL,
     "time after which a run is cancelled; none by default"},
    {"grace", parse_duration, TASK(grace), "5s",
     "time for a run to honour its cancel; then its stack is noted and its host is killed"},
    {"overlap", parse_overlap, TASK(overlap), "skip",
     "what becomes of a run that is due during another one: skip or queue"},
    {"on-error", parse_on_error, TASK(on_error), "continue",
     "what follows the failure of a run: continue, restart the module, or stop the task"},
    {"on-stop", parse_on_stop, TASK(on_stop), "cancel",
     "what a stop of the module does to a run: cancel it, or let it finish within the drain"},
};
_Static_assert(ARRAY_SIZE(task_table) <= 32, "a bit for each key");

static const struct setting pool_table[] = {
    {"workers", parse_workers, POOL(workers), NULL,
     "jobs that run at once; by default as many as there are processors"},
    {"queue", parse_queue, POOL(queue), NULL, "jobs that can wait; by default 1024"},
    {"retries", parse_retries, POOL(retries), "0", "further attempts after a failure"},
    {"timeout", parse_duration, POOL(timeout), NULL,
     "time after which an attempt is cancelled; none by default"},
    {"backoff", parse_part, POOL(backoff), NULL,
     "pause before the first retry, by default 100ms; doubles with each further one"},
    {"backoff-max", parse_part, POOL(backoff_max), "1min",
     "longest pause of backoff, give or take a quarter"},
    {"grace", parse_duration, POOL(grace), "5s",
     "time for a job to honour its cancel; then its stack is noted and its host is killed"},
};

void settings_visit(settings_visitor fn, void *arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(task_table); i++)
        fn("TASK", task_table[i].suffix, task_table[i].fallback, task_table[i].list,
           task_table[i].help, arg);
    for (size_t i = 0; i < ARRAY_SIZE(pool_table); i++)
        fn("POOL", pool_table[i].suffix, pool_table[i].fallback, pool_table[i].list,
           pool_table[i].help, arg);
}

static void take_fallbacks(const struct setting *table, size_t count, void *base)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].fallback) {
            const char *expected _unused_ =
                table[i].parse(table[i].fallback, (char *)base + table[i].offset);

            assert(!expected);
        }
}

/* A default of the module's own table. */
static void take_default(const struct setting *table, const char *name, const char *suffix,
                         const char *text, void *base, settings_error_fn fn, void *arg)
{
    const char *expected;
    char error[256];

    while (strcmp(table->suffix, suffix) != 0)
        table++;
    expected = text ? table->parse(text, (char *)base + table->offset) : NULL;
    if (!expected)
        return;
    snprintf(error, sizeof(error), "the module itself is wrong: its %s.%s is \"%s\": expected %s",
             name, suffix, text, expected);
    fn(error, arg);
}

static void task_defaults(const struct rv_task *task, struct task_settings *settings,
                          settings_error_fn fn, void *arg)
{
    const struct {
        const char *suffix;
        const char *text;
    } defaults[] = {
        {"every", task->every},     {"at", task->at},
        {"jitter", task->jitter},   {"catch-up", task->catch_up},
        {"timeout", task->timeout}, {"grace", task->grace},
        {"overlap", task->overlap}, {"on-error", task->on_error},
        {"on-stop", task->on_stop},
    };

    *settings = (struct task_settings){0};
    take_fallbacks(task_table, ARRAY_SIZE(task_table), settings);
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        take_default(task_table, task->name, defaults[i].suffix, defaults[i].text, settings, fn,
                     arg);
}

void settings_defaults(const struct loaded_module *loaded, struct task_settings *tasks,
                       struct pool_settings *pools, settings_error_fn fn, void *arg)
{
    for (size_t i = 0; i < loaded->task_count; i++)
        task_defaults(&loaded->tasks[i], &tasks[i], fn, arg);
    for (size_t i = 0; i < loaded->pool_count; i++) {
        const struct rv_module_pool *pool = &loaded->pools[i];

        pools[i] = (struct pool_settings){0};
        take_fallbacks(pool_table, ARRAY_SIZE(pool_table), &pools[i]);
        pools[i].workers = pool->workers;
        pools[i].queue = pool->queue;
        pools[i].retries = pool->retries;
        take_default(pool_table, pool->name, "timeout", pool->timeout, &pools[i], fn, arg);
        take_default(pool_table, pool->name, "backoff", pool->backoff, &pools[i], fn, arg);
        /* Its author means what the module's own table says. */
        pools[i].backoff_max = MAX(pools[i].backoff_max, pools[i].backoff);
        take_default(pool_table, pool->name, "grace", pool->grace, &pools[i], fn, arg);
    }
}

static void drop_calendars(struct schedule_rule *rule)
{
    for (unsigned i = 0; i < rule->at_count; i++)
        calendar_free(rule->at[i]);
    rule->at_count = 0;
}

/* A section that says when a task runs says all of it: the module's own schedule is gone. */
static void replace_schedule(struct task_settings *task, uint32_t bit)
{
    if (bit != GIVEN_EVERY && bit != GIVEN_AT)
        return;
    if (!(task->given & GIVEN_AT))
        drop_calendars(&task->schedule);
    if (!(task->given & GIVEN_EVERY))
        task->schedule.every = 0;
}

struct target {
    const struct setting *table;
    size_t count;
    const char *name;
    void *base;
    uint32_t *given;
    struct task_settings *task; /* NULL for a pool */
};

/* Returns false when the key is not NAME.SUFFIX of the table. */
static bool apply(const struct target *target, const char *key, const char *value,
                  settings_error_fn fn, void *arg)
{
    size_t length = strlen(target->name);
    const char *expected;
    char error[256], shown[64];

    if (strncmp(key, target->name, length) != 0 || key[length] != '.')
        return false;
    for (size_t i = 0; i < target->count; i++) {
        const struct setting *setting = &target->table[i];
        uint32_t bit = UINT32_C(1) << i;

        if (strcmp(key + length + 1, setting->suffix) != 0)
            continue;
        if ((*target->given & bit) && !setting->list) {
            snprintf(error, sizeof(error), "%.60s is given twice", key);
            fn(error, arg);
            return true;
        }
        if (target->task)
            replace_schedule(target->task, bit);
        *target->given |= bit;
        expected = setting->parse(value, (char *)target->base + setting->offset);
        if (expected) {
            text_copy_shown(shown, sizeof(shown), value);
            snprintf(error, sizeof(error), "%.60s = %s: expected %s", key, shown, expected);
            fn(error, arg);
        }
        return true;
    }
    return false;
}

bool settings_apply(const struct loaded_module *loaded, const char *key, const char *value,
                    struct task_settings *tasks, struct pool_settings *pools, settings_error_fn fn,
                    void *arg)
{
    for (size_t i = 0; i < loaded->task_count; i++) {
        struct target target = {task_table, ARRAY_SIZE(task_table), loaded->tasks[i].name,
                                &tasks[i],  &tasks[i].given,        &tasks[i]};

        if (apply(&target, key, value, fn, arg))
            return true;
    }
    for (size_t i = 0; i < loaded->pool_count; i++) {
        struct target target = {pool_table, ARRAY_SIZE(pool_table), loaded->pools[i].name,
                                &pools[i],  &pools[i].given,        NULL};

        if (apply(&target, key, value, fn, arg))
            return true;
    }
    return false;
}

/* What does not go together; no text: all does. */
struct conflict {
    char text[128];
    const char *suffix, *other; /* of the keys */
};

static void check_backoff(rv_duration backoff, rv_duration longest, struct conflict *conflict)
{
    char text[DURATION_TEXT_SIZE];

    if (backoff <= longest)
        return;
    snprintf(conflict->text, sizeof(conflict->text),
             "backoff must not be longer than backoff-max, which is %s",
             duration_format(longest, text, sizeof(text)));
    conflict->suffix = "backoff";
    conflict->other = "backoff-max";
}

static void check_task(const struct task_settings *task, struct conflict *conflict)
{
    const struct schedule_rule *rule = &task->schedule;
    char text[DURATION_TEXT_SIZE];

    conflict->other = "every";
    if (rule->every > 0 && rule->at_count > 0) {
        conflict->suffix = "at";
        string_copy(conflict->text, sizeof(conflict->text),
                    "every and at exclude each other: say when it runs in one way");
    } else if (rule->align && rule->every == 0) {
        conflict->suffix = "align";
        string_copy(conflict->text, sizeof(conflict->text),
                    "align needs every: it is the interval that is aligned");
    } else if (rule->jitter > 0 && rule->every > 0 && rule->jitter >= rule->every) {
        conflict->suffix = "jitter";
        snprintf(conflict->text, sizeof(conflict->text),
                 "jitter must be shorter than every, which is %s",
                 duration_format(rule->every, text, sizeof(text)));
    } else {
        check_backoff(rule->backoff, rule->backoff_max, conflict);
    }
}

static void tell_conflict(const char *kind, const char *name, const struct conflict *conflict,
                          settings_conflict_fn fn, void *arg)
{
    char text[256], key[64], other[64];

    if (conflict->text[0] == '\0')
        return;
    snprintf(text, sizeof(text), "%s %.60s: %s", kind, name, conflict->text);
    snprintf(key, sizeof(key), "%.40s.%s", name, conflict->suffix);
    snprintf(other, sizeof(other), "%.40s.%s", name, conflict->other);
    fn(text, key, other, arg);
}

void settings_check(const struct loaded_module *loaded, const struct task_settings *tasks,
                    const struct pool_settings *pools, settings_conflict_fn fn, void *arg)
{
    for (size_t i = 0; i < loaded->task_count; i++) {
        struct conflict conflict = {0};

        check_task(&tasks[i], &conflict);
        tell_conflict("task", loaded->tasks[i].name, &conflict, fn, arg);
    }
    for (size_t i = 0; i < loaded->pool_count; i++) {
        struct conflict conflict = {0};

        check_backoff(pools[i].backoff > 0 ? pools[i].backoff : POOL_BACKOFF, pools[i].backoff_max,
                      &conflict);
        tell_conflict("pool", loaded->pools[i].name, &conflict, fn, arg);
    }
}

bool settings_is_crowded(const struct loaded_module *loaded, const struct task_settings *tasks,
                         const char *key, rv_duration *ret_shortest)
{
    for (size_t i = 0; i < loaded->task_count; i++) {
        const struct schedule_rule *rule = &tasks[i].schedule;
        char name[64];

        snprintf(name, sizeof(name), "%.40s.jitter", loaded->tasks[i].name);
        if (strcmp(name, key) != 0)
            continue;
        *ret_shortest = schedule_shortest(rule);
        return rule->at_count > 0 && rule->jitter >= *ret_shortest;
    }
    return false;
}

bool settings_is_past(const struct loaded_module *loaded, const struct task_settings *tasks,
                      const char *key, const char *value, int64_t realtime)
{
    for (size_t i = 0; i < loaded->task_count; i++) {
        cleanup_calendar struct calendar *calendar = NULL;
        const char *expected;
        char name[64];
        int64_t point;

        snprintf(name, sizeof(name), "%.40s.at", loaded->tasks[i].name);
        if (strcmp(name, key) == 0)
            return calendar_parse(value, &calendar, &expected) == 0 &&
                   calendar_next(calendar, realtime - tasks[i].schedule.offset, &point) < 0;
    }
    return false;
}

void settings_free(struct task_settings *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop_calendars(&tasks[i].schedule);
}

static void offer(const struct setting *table, size_t count, const char *name,
                  struct nearest *nearest)
{
    char candidate[64];

    for (size_t i = 0; i < count; i++) {
        snprintf(candidate, sizeof(candidate), "%.40s.%s", name, table[i].suffix);
        nearest_offer(nearest, candidate);
    }
}

void settings_nearest(const struct loaded_module *loaded, struct nearest *nearest)
{
    for (size_t i = 0; i < loaded->task_count; i++)
        offer(task_table, ARRAY_SIZE(task_table), loaded->tasks[i].name, nearest);
    for (size_t i = 0; i < loaded->pool_count; i++)
        offer(pool_table, ARRAY_SIZE(pool_table), loaded->pools[i].name, nearest);
}
