/* SPDX-License-Identifier: MIT */
#include "host/load/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/text.h"
#include "host/load/policy.h"
#include "host/schedule/schedule.h"

/* A task or a pool. */
struct part {
    const char *name;
    const struct setting *table;
    void *base; /* its settings */
};

static size_t part_count(const struct work *work)
{
    return work->loaded->task_count + work->loaded->pool_count;
}

/* Tasks first. */
static struct part part_at(const struct work *work, size_t i)
{
    const struct loaded_module *loaded = work->loaded;

    return i < loaded->task_count ? (struct part){loaded->tasks[i].name, task_keys, &work->tasks[i]}
                                  : (struct part){loaded->pools[i - loaded->task_count].name,
                                                  pool_keys, &work->pools[i - loaded->task_count]};
}

int work_init(const struct loaded_module *loaded, struct work *ret_work)
{
    *ret_work = (struct work){
        .loaded = loaded,
        .tasks = calloc(loaded->task_count + 1, sizeof(struct task_settings)),
        .pools = calloc(loaded->pool_count + 1, sizeof(struct pool_settings)),
    };
    return ret_work->tasks && ret_work->pools ? 0 : -ENOMEM;
}

void work_free(struct work *work)
{
    for (size_t i = 0; work->tasks && i < work->loaded->task_count; i++)
        schedule_rule_drop_calendars(&work->tasks[i].schedule);
    free(work->tasks);
    free(work->pools);
    *work = (struct work){0};
}

/* Defaults ---------------------------------------------------------------- */

/* The text that a module's own table has for a key; NULL: none. */
struct given {
    const char *key;
    const char *value;
};

static int take_given(const struct part *part, const struct given *given, size_t count,
                      work_error_fn fn, void *arg)
{
    char name[2 * NEAREST_NAME_SIZE], message[SETTING_MESSAGE_SIZE];
    char text[SETTING_MESSAGE_SIZE + 64];

    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = setting_find(part->table, given[i].key);
        int r;

        if (!given[i].value)
            continue;
        snprintf(name, sizeof(name), "%.63s.%s", part->name, given[i].key);
        r = setting_parse(setting, name, given[i].value, setting_member(setting, part->base),
                          message, sizeof(message));
        if (r == -ENOMEM)
            return r;
        if (r == 0)
            continue;
        snprintf(text, sizeof(text), "the module itself is wrong: its %s", message);
        fn(text, arg);
    }
    return 0;
}

static int take_task(const struct part *part, const struct rv_task *task, work_error_fn fn,
                     void *arg)
{
    const struct given given[] = {
        {"every", task->every},
        {"at", task->at},
        {"jitter", task->jitter},
        {"catch-up", policy_catch_up(task->catch_up)},
        {"timeout", task->timeout},
        {"grace", task->grace},
        {"overlap", policy_overlap(task->overlap)},
        {"on-error", policy_on_error(task->on_error)},
        {"on-stop", policy_on_stop(task->on_stop)},
    };

    return take_given(part, given, ARRAY_SIZE(given), fn, arg);
}

static int take_pool(const struct part *part, const struct rv_module_pool *pool, work_error_fn fn,
                     void *arg)
{
    const struct given given[] = {
        {"timeout", pool->timeout},
        {"backoff", pool->backoff},
        {"grace", pool->grace},
    };
    struct pool_settings *settings = part->base;
    int r = take_given(part, given, ARRAY_SIZE(given), fn, arg);

    if (pool->workers > 0)
        settings->workers = pool->workers;
    if (pool->queue > 0)
        settings->queue = pool->queue;
    settings->retries = pool->retries;
    /* Its author means what the module's own table says. */
    settings->backoff_max = MAX(settings->backoff_max, settings->backoff);
    return r;
}

int work_take_defaults(struct work *work, work_error_fn fn, void *arg)
{
    const struct loaded_module *loaded = work->loaded;
    int r = 0;

    for (size_t i = 0; i < part_count(work) && r == 0; i++) {
        const struct part part = part_at(work, i);

        r = settings_init(part.table, part.base);
        if (r == 0)
            r = i < loaded->task_count
                    ? take_task(&part, &loaded->tasks[i], fn, arg)
                    : take_pool(&part, &loaded->pools[i - loaded->task_count], fn, arg);
    }
    return r;
}

/* Lines ------------------------------------------------------------------- */

/* Whether the key of a line is NAME.KEY. Names of tasks and pools may be of any length. */
static bool is_key_of(const char *line_key, const char *name, const char *key)
{
    size_t length = strlen(name);

    return strncmp(line_key, name, length) == 0 && line_key[length] == '.' &&
           strcmp(line_key + length + 1, key) == 0;
}

/* The line of a key of a task or pool. */
static const struct option_line *find_line(const struct option_lines *lines, const char *name,
                                           const char *key)
{
    for (size_t i = 0; i < lines->count; i++)
        if (is_key_of(lines->items[i].key, name, key))
            return &lines->items[i];
    return NULL;
}

void work_drop_schedules(struct work *work, const struct option_lines *lines)
{
    for (size_t i = 0; i < work->loaded->task_count; i++) {
        const char *name = work->loaded->tasks[i].name;

        if (!find_line(lines, name, "every") && !find_line(lines, name, "at"))
            continue;
        schedule_rule_drop_calendars(&work->tasks[i].schedule);
        work->tasks[i].schedule.every = 0;
    }
}

/* Returns NULL when the key is not NAME.KEY of any. */
static const struct setting *find_setting(const struct work *work, const char *key,
                                          struct part *ret_part)
{
    for (size_t i = 0; i < part_count(work); i++) {
        const struct setting *setting;
        size_t length;

        *ret_part = part_at(work, i);
        length = strlen(ret_part->name);
        if (strncmp(key, ret_part->name, length) != 0 || key[length] != '.')
            continue;
        setting = setting_find(ret_part->table, key + length + 1);
        if (setting)
            return setting;
    }
    return NULL;
}

bool work_has_key(const struct work *work, const char *key)
{
    struct part part;

    return find_setting(work, key, &part) != NULL;
}

int work_apply(struct work *work, const struct option_line *line, const struct option_line *first,
               work_error_fn fn, void *arg)
{
    char message[SETTING_MESSAGE_SIZE];
    struct part part;
    const struct setting *setting = find_setting(work, line->key, &part);
    int r = -EINVAL;

    if (first != line && !setting_is_repeated(setting))
        setting_say_twice(line->key, first->line, message, sizeof(message));
    else
        r = setting_parse(setting, line->key, line->value, setting_member(setting, part.base),
                          message, sizeof(message));
    if (r == -EINVAL)
        fn(message, arg);
    return r == -EINVAL ? 0 : r;
}

void work_raise_limits(struct work *work, const struct option_lines *lines)
{
    for (size_t i = 0; i < work->loaded->pool_count; i++)
        if (!find_line(lines, work->loaded->pools[i].name, "backoff-max"))
            work->pools[i].backoff_max = MAX(work->pools[i].backoff_max, work->pools[i].backoff);
}

/* Conflicts -------------------------------------------------------------- */

/* The two keys that conflict; no text: none do. */
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
                          const struct option_lines *lines, work_conflict_fn fn, void *arg)
{
    const struct option_line *line;
    char text[256];

    if (conflict->text[0] == '\0')
        return;
    snprintf(text, sizeof(text), "%s %.63s: %s", kind, name, conflict->text);
    line = find_line(lines, name, conflict->suffix);
    if (!line && conflict->other)
        line = find_line(lines, name, conflict->other);
    fn(text, line, arg);
}

void work_check(const struct work *work, const struct option_lines *lines, work_conflict_fn fn,
                void *arg)
{
    const struct loaded_module *loaded = work->loaded;

    for (size_t i = 0; i < loaded->task_count; i++) {
        struct conflict conflict = {0};

        check_task(&work->tasks[i], &conflict);
        tell_conflict("task", loaded->tasks[i].name, &conflict, lines, fn, arg);
    }
    for (size_t i = 0; i < loaded->pool_count; i++) {
        struct conflict conflict = {0};

        check_backoff(work->pools[i].backoff, work->pools[i].backoff_max, &conflict);
        tell_conflict("pool", loaded->pools[i].name, &conflict, lines, fn, arg);
    }
}

bool work_is_crowded(const struct work *work, const char *key, rv_duration *ret_shortest)
{
    for (size_t i = 0; i < work->loaded->task_count; i++) {
        const struct schedule_rule *rule = &work->tasks[i].schedule;

        if (!is_key_of(key, work->loaded->tasks[i].name, "jitter"))
            continue;
        *ret_shortest = schedule_shortest(rule);
        return rule->at_count > 0 && rule->jitter >= *ret_shortest;
    }
    return false;
}

bool work_is_past(const struct work *work, const char *key, const char *value, int64_t realtime)
{
    for (size_t i = 0; i < work->loaded->task_count; i++) {
        cleanup_calendar struct calendar *calendar = NULL;
        const char *expected;
        int64_t point;

        if (is_key_of(key, work->loaded->tasks[i].name, "at"))
            return calendar_parse(value, &calendar, &expected) == 0 &&
                   calendar_next(calendar, realtime - work->tasks[i].schedule.offset, &point) < 0;
    }
    return false;
}

void work_offer_keys(const struct work *work, struct nearest *nearest)
{
    char prefix[2 * NEAREST_NAME_SIZE];

    for (size_t i = 0; i < part_count(work); i++) {
        const struct part part = part_at(work, i);

        snprintf(prefix, sizeof(prefix), "%.63s.", part.name);
        setting_offer_keys(part.table, prefix, nearest);
    }
}
