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
#include "base/size.h"
#include "base/text.h"
#include "host/load/bounds.h"
#include "host/load/loader.h"
#include "host/load/note.h"
#include "host/load/options.h"
#include "host/load/policy.h"
#include "host/load/settings.h"
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

static void put_duration(const char *key, int64_t duration)
{
    char text[DURATION_TEXT_SIZE];

    if (duration > 0)
        put(key, duration_format(duration, text, sizeof(text)));
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

static void conflict(const char *text, const char *key _unused_, const char *other _unused_,
                     void *arg)
{
    problem(text, arg);
}

static void put_limit(const struct rv_option *option, const char *key, int64_t limit)
{
    char text[DURATION_TEXT_SIZE];

    if (option->type == RV_OPTION_TYPE_SIZE)
        put(key, size_format((uint64_t)limit, text, sizeof(text)));
    else if (option->type == RV_OPTION_TYPE_DURATION)
        put(key, duration_format(limit, text, sizeof(text)));
    else
        put_number(key, limit);
}

/* Choices are words of an ini file, so blanks may part them. */
static void put_choices(const struct rv_option *option)
{
    cleanup_text struct text choices = {0};

    for (size_t i = 0; option->choices && option->choices[i] && choices.length < VALUE_SIZE; i++)
        text_append_format(&choices, "%s%s", i > 0 ? " " : "", option->choices[i]);
    if (choices.length > 0)
        put("choices", text_string(&choices));
}

static void put_option(const struct rv_option *option)
{
    static const char *const types[] = {
        [RV_OPTION_TYPE_STRING] = "string", [RV_OPTION_TYPE_LIST] = "list",
        [RV_OPTION_TYPE_BOOL] = "bool",     [RV_OPTION_TYPE_INT] = "int",
        [RV_OPTION_TYPE_SIZE] = "size",     [RV_OPTION_TYPE_DURATION] = "duration",
        [RV_OPTION_TYPE_PATH] = "path",     [RV_OPTION_TYPE_ENUM] = "enum",
        [RV_OPTION_TYPE_SECRET] = "secret", [RV_OPTION_TYPE_PATHS] = "paths",
    };
    char key[64];
    int64_t bound;

    option_key(option->name, key, sizeof(key));
    fputs("option", out);
    put("name", key);
    put("type", types[option->type]);
    put("required", option->required ? "yes" : "no");
    if (option->type != RV_OPTION_TYPE_SECRET)
        put("default", option->fallback);
    if (bounds_minimum(option, &bound))
        put_limit(option, "minimum", bound);
    if (bounds_maximum(option, &bound))
        put_limit(option, "maximum", bound);
    if (option->type == RV_OPTION_TYPE_ENUM)
        put_choices(option);
    put("help", option->help);
    fputc('\n', out);
}

static void put_task(const struct rv_task *task, const struct task_settings *settings)
{
    char schedule[256];

    schedule_format(&settings->schedule, schedule, sizeof(schedule));
    fputs("task", out);
    put("name", task->name);
    if (schedule[0] != '\0')
        put("schedule", schedule);
    put_duration("timeout", settings->timeout);
    put_duration("grace", settings->grace);
    put_duration("jitter", settings->schedule.jitter);
    put("overlap", policy_overlap(task->overlap));
    put("on-error", policy_on_error(task->on_error));
    put("on-stop", policy_on_stop(task->on_stop));
    put("catch-up", policy_catch_up(task->catch_up));
    put("help", task->help);
    fputc('\n', out);
}

static void put_pool(const struct rv_module_pool *pool, const struct pool_settings *settings)
{
    fputs("pool", out);
    put("name", pool->name);
    if (settings->workers > 0)
        put_number("workers", settings->workers);
    if (settings->queue > 0)
        put_number("queue", settings->queue);
    put_number("retries", settings->retries);
    put_duration("timeout", settings->timeout);
    put_duration("backoff", settings->backoff);
    put_duration("grace", settings->grace);
    put("help", pool->help);
    fputc('\n', out);
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

static int put_tables(const struct loaded_module *loaded)
{
    cleanup_free struct task_settings *tasks = calloc(loaded->task_count + 1, sizeof(*tasks));
    cleanup_free struct pool_settings *pools = calloc(loaded->pool_count + 1, sizeof(*pools));

    if (!tasks || !pools)
        return -ENOMEM;
    put_module(&loaded->module);
    settings_defaults(loaded, tasks, pools, problem, NULL);
    settings_check(loaded, tasks, pools, conflict, NULL);
    for (size_t i = 0; i < loaded->option_count; i++)
        put_option(&loaded->options[i]);
    for (size_t i = 0; i < loaded->task_count; i++)
        put_task(&loaded->tasks[i], &tasks[i]);
    for (size_t i = 0; i < loaded->pool_count; i++)
        put_pool(&loaded->pools[i], &pools[i]);
    settings_free(tasks, loaded->task_count);
    return 0;
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
