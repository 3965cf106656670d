/* SPDX-License-Identifier: MIT */
#include "host/standalone/describe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/text.h"
#include "host/load/bounds.h"
#include "host/load/loader.h"
#include "host/load/note.h"
#include "host/load/option_table.h"
#include "host/load/work.h"
#include "host/sandbox/sandbox.h"
#include "host/schedule/schedule.h"

#define VALUE_SIZE 1024

/* Constructors that take longer than this do not end. */
#define CPU_SECONDS_MAX 10

static FILE *out;

static void put(const char *key, const char *value)
{
    char text[VALUE_SIZE];

    if (!value)
        return;
    string_copy(text, sizeof(text), value);
    text_sanitise(text);
    fprintf(out, "\t%s=%s", key, text);
}

static void put_number(const char *key, long long number)
{
    fprintf(out, "\t%s=%lld", key, number);
}

static void put_error(const char *text)
{
    fputs("error", out);
    put("text", text);
    fputc('\n', out);
}

static void problem(const char *text, void *arg)
{
    (void)arg;
    fputs("problem", out);
    put("text", text);
    fputc('\n', out);
}

static void conflict(const char *text, const struct option_line *line _unused_, void *arg)
{
    problem(text, arg);
}

/* Choices are words of an ini file, so blanks may part them. */
static void put_choices(const struct setting *setting)
{
    cleanup_text struct text choices = {0};

    for (size_t i = 0; setting->choices && setting->choices[i] && choices.length < VALUE_SIZE; i++)
        text_append_format(&choices, "%s%s", i > 0 ? " " : "", setting->choices[i]);
    if (choices.length > 0)
        put("choices", text_string(&choices));
}

static void put_bounds(const struct setting *setting)
{
    int64_t minimum, maximum;
    char text[DURATION_TEXT_SIZE];

    setting_bounds(setting, &minimum, &maximum);
    if (minimum != INT64_MIN)
        put("minimum", setting_format_number(setting, minimum, text, sizeof(text)));
    if (maximum != INT64_MAX)
        put("maximum", setting_format_number(setting, maximum, text, sizeof(text)));
}

/* All that is known of a key. */
static void put_setting(const char *kind, const struct setting *setting)
{
    fputs(kind, out);
    put("name", setting->key);
    put("type", setting_type(setting));
    put("required", setting->flags & SETTING_REQUIRED ? "yes" : "no");
    put("repeated", setting_is_repeated(setting) ? "yes" : "no");
    if (setting->kind != SETTING_SECRET)
        put("default", setting->fallback);
    if (setting->kind == SETTING_CHOICE)
        put_choices(setting);
    else
        put_bounds(setting);
    put("help", setting->help);
    fputc('\n', out);
}

/* A default that is wrong lets the module fail wherever nothing else is given. */
static void check_default(const struct setting *setting)
{
    char message[SETTING_MESSAGE_SIZE], text[SETTING_MESSAGE_SIZE + 64];
    /* Of any kind. */
    union {
        int64_t number;
        char *string;
        struct strings strings;
    } member;

    if (!setting->fallback)
        return;
    memset(&member, 0, sizeof(member));
    if (setting_parse(setting, setting->key, setting->fallback, &member, message,
                      sizeof(message)) == -EINVAL) {
        snprintf(text, sizeof(text), "the module itself is wrong: its default %s", message);
        problem(text, NULL);
    }
    setting_release(setting, &member);
}

static int put_options(const struct loaded_module *loaded)
{
    cleanup_option_table struct option_table table = {0};
    int r = option_table_create(loaded->options, loaded->option_count, &table);

    for (size_t i = 0; i < table.count && r == 0; i++) {
        put_setting("option", &table.settings[i]);
        check_default(&table.settings[i]);
    }
    return r;
}

/* A key that has no default and was not given says nothing. */
static bool is_given(const struct setting *setting, const void *member)
{
    static const char zeros[sizeof(struct schedule_rule)];

    return setting->fallback || memcmp(member, zeros, setting->size) != 0;
}

static void put_settings(const struct setting *table, void *base)
{
    char text[VALUE_SIZE];

    for (; table->key; table++) {
        const void *member = setting_member(table, base);

        if (is_given(table, member) && *setting_format(table, member, text, sizeof(text)) != '\0')
            put(table->key, text);
    }
}

static void put_task(const struct rv_task *task, struct task_settings *settings)
{
    char schedule[256];

    schedule_format(&settings->schedule, schedule, sizeof(schedule));
    fputs("task", out);
    put("name", task->name);
    if (schedule[0] != '\0')
        put("schedule", schedule);
    put_settings(task_keys, settings);
    put("help", task->help);
    fputc('\n', out);
}

static void put_pool(const struct rv_module_pool *pool, struct pool_settings *settings)
{
    fputs("pool", out);
    put("name", pool->name);
    put_settings(pool_keys, settings);
    put("help", pool->help);
    fputc('\n', out);
}

static void put_keys(const char *kind, const struct setting *table)
{
    for (; table->key; table++)
        put_setting(kind, table);
}

static void put_module(const struct rv_module *module)
{
    char functions[64];

    snprintf(functions, sizeof(functions), "%s%s%s%s", module->init ? " init" : "",
             module->fini ? " fini" : "", module->reload ? " reload" : "",
             module->health ? " health" : "");
    fputs("module", out);
    put("name", module->name);
    put("version", module->version);
    put("summary", module->summary);
    put("functions", functions[0] == ' ' ? functions + 1 : functions);
    fputc('\n', out);
}

static int put_work(const struct loaded_module *loaded)
{
    struct work work;
    int r = work_init(loaded, &work);

    if (r == 0)
        r = work_take_defaults(&work, problem, NULL);
    if (r == 0)
        work_check(&work, &(struct option_lines){0}, conflict, NULL);
    for (size_t i = 0; i < loaded->task_count && r == 0; i++)
        put_task(&loaded->tasks[i], &work.tasks[i]);
    for (size_t i = 0; i < loaded->pool_count && r == 0; i++)
        put_pool(&loaded->pools[i], &work.pools[i]);
    if (loaded->task_count > 0)
        put_keys("task-key", task_keys);
    if (loaded->pool_count > 0)
        put_keys("pool-key", pool_keys);
    work_free(&work);
    return r;
}

static int put_tables(const struct loaded_module *loaded)
{
    int r;

    put_module(&loaded->module);
    r = put_options(loaded);
    return r == 0 ? put_work(loaded) : r;
}

/* The records' stream is out of sight of what the module prints, which goes to stderr. */
static int open_output(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    out = fd < 0 ? NULL : fdopen(fd, "w");
    return out && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 ? 0 : -errno;
}

/* A process that only looks leaves nothing behind, not even a core. */
static int enter_sandbox(void)
{
    struct sandbox sandbox = {.check_only = true, .strict = true};
    const struct rlimit cpu = {CPU_SECONDS_MAX, CPU_SECONDS_MAX}, none = {0, 0};
    int r;

    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &none);
    r = sandbox_enter(&sandbox);
    if (r < 0)
        put_error(sandbox.reason[0] != '\0' ? sandbox.reason : strerror(-r));
    sandbox_finish(&sandbox);
    return r;
}

static void put_file(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char runtime[64];
    int64_t abi = fd < 0 ? 0 : note_read_abi(fd);

    fprintf(out, "host\tabi=%d\tversion=%s\n", RV_MODULE_ABI, REEVE_VERSION);
    fputs("file", out);
    if (abi > 0) {
        put_number("abi", abi);
        note_read_runtime(fd, runtime, sizeof(runtime));
        put("runtime", runtime[0] != '\0' ? runtime : NULL);
    }
    fputc('\n', out);
}

int describe_file(const char *path)
{
    char real[PATH_MAX];
    struct loaded_module loaded;
    int r;

    if (open_output() < 0)
        return 1;
    r = enter_sandbox();
    /* A name without a slash would be looked for among the libraries. */
    if (r == 0 && !realpath(path, real)) {
        r = rv_fail(-errno, "%s", path);
        put_error(rv_error_text(r));
    }
    if (r == 0) {
        put_file(real);
        fflush(out);
        r = loader_load(real, 0, &loaded);
        if (r < 0)
            put_error(rv_error_text(r));
    }
    if (r == 0) {
        r = put_tables(&loaded);
        loader_free(&loaded);
    }
    fputs("end\n", out);
    return fflush(out) == 0 && r == 0 ? 0 : 1;
}
