/* SPDX-License-Identifier: MIT */
#include "daemon/host/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"

/* How long a task may go on after its cancel before it is called hung. */
#define DEFAULT_GRACE (5 * RV_SECOND)

static const char duration_expected[] = "a duration with its unit, such as 500ms, 30s or 5min";

static const char *parse_duration(const char *text, void *target)
{
    return duration_parse(text, target) < 0 ? duration_expected : NULL;
}

static const char *parse_interval(const char *text, void *target)
{
    int64_t *interval = target;

    if (strcmp(text, "never") == 0) {
        *interval = 0;
        return NULL;
    }
    return duration_parse(text, interval) < 0 || *interval < RV_MILLISECOND
               ? "a duration of at least 1ms, or never"
               : NULL;
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
};

static const struct setting task_table[] = {
    {"every", parse_interval, offsetof(struct task_settings, every)},
    {"timeout", parse_duration, offsetof(struct task_settings, timeout)},
    {"grace", parse_duration, offsetof(struct task_settings, grace)},
    {"overlap", parse_overlap, offsetof(struct task_settings, overlap)},
    {"on-error", parse_on_error, offsetof(struct task_settings, on_error)},
    {"on-stop", parse_on_stop, offsetof(struct task_settings, on_stop)},
};

static const struct setting pool_table[] = {
    {"workers", parse_workers, offsetof(struct pool_settings, workers)},
    {"queue", parse_queue, offsetof(struct pool_settings, queue)},
    {"retries", parse_retries, offsetof(struct pool_settings, retries)},
    {"timeout", parse_duration, offsetof(struct pool_settings, timeout)},
    {"backoff", parse_duration, offsetof(struct pool_settings, backoff)},
};

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
        {"every", task->every},     {"timeout", task->timeout},   {"grace", task->grace},
        {"overlap", task->overlap}, {"on-error", task->on_error}, {"on-stop", task->on_stop},
    };

    *settings = (struct task_settings){.grace = DEFAULT_GRACE};
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

        pools[i] = (struct pool_settings){
            .workers = pool->workers, .queue = pool->queue, .retries = pool->retries};
        take_default(pool_table, pool->name, "timeout", pool->timeout, &pools[i], fn, arg);
        take_default(pool_table, pool->name, "backoff", pool->backoff, &pools[i], fn, arg);
    }
}

/* Returns false when the key is not NAME.SUFFIX of the table. */
static bool apply(const struct setting *table, size_t count, const char *name, void *base,
                  const char *key, const char *value, settings_error_fn fn, void *arg)
{
    size_t length = strlen(name);
    const char *expected;
    char error[256];

    if (strncmp(key, name, length) != 0 || key[length] != '.')
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key + length + 1, table[i].suffix) != 0)
            continue;
        expected = table[i].parse(value, (char *)base + table[i].offset);
        if (expected) {
            snprintf(error, sizeof(error), "%.60s = %.60s: expected %s", key, value, expected);
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
    for (size_t i = 0; i < loaded->task_count; i++)
        if (apply(task_table, ARRAY_SIZE(task_table), loaded->tasks[i].name, &tasks[i], key, value,
                  fn, arg))
            return true;
    for (size_t i = 0; i < loaded->pool_count; i++)
        if (apply(pool_table, ARRAY_SIZE(pool_table), loaded->pools[i].name, &pools[i], key, value,
                  fn, arg))
            return true;
    return false;
}

static void compare(const struct setting *table, size_t count, const char *name, const char *key,
                    char *nearest, size_t size, unsigned *best)
{
    char candidate[64];

    for (size_t i = 0; i < count; i++) {
        snprintf(candidate, sizeof(candidate), "%.40s.%s", name, table[i].suffix);
        if (name_nearest(key, candidate, NULL, best))
            string_copy(nearest, size, candidate);
    }
}

void settings_nearest(const struct loaded_module *loaded, const char *key, char *nearest,
                      size_t size, unsigned *best)
{
    for (size_t i = 0; i < loaded->task_count; i++)
        compare(task_table, ARRAY_SIZE(task_table), loaded->tasks[i].name, key, nearest, size,
                best);
    for (size_t i = 0; i < loaded->pool_count; i++)
        compare(pool_table, ARRAY_SIZE(pool_table), loaded->pools[i].name, key, nearest, size,
                best);
}
