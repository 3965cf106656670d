/*
 * hello - greets on a schedule, and greets whoever is named in a job
 *
 * A start for a module of your own: copy this directory, and rename what it names. The code is
 * ordinary blocking C, and C++ as well, for which it has its casts; see reeve-module(7), and
 * libreeve(3) for what it can call.
 */
#include <errno.h>
#include <reeve/module.h>
#include <stdio.h>
#include <string.h>

/* One for each section that loads the module; zeroed, and then options are bound to it. */
struct hello {
    char *name;
    rv_duration pause;
    FILE *file;
    char *path;
};

static int greet(struct rv_context *ctx, struct hello *hello, const char *name)
{
    int r;

    rv_log(ctx, RV_LOG_INFO, "hello, %s", name);
    if (fprintf(hello->file, "hello, %s\n", name) < 0 || fflush(hello->file) != 0)
        return rv_fail(-errno, "write %s", hello->path);
    /* Every call that may take long is given the context, and ends when that is cancelled. */
    r = rv_sleep(ctx, hello->pause);
    return r < 0 ? rv_wrap(r, "rest after %s", name) : 0;
}

/* A task. */
static int greet_on_schedule(struct rv_context *ctx, void *state)
{
    struct hello *hello = (struct hello *)state;

    return greet(ctx, hello, hello->name);
}

/* A job of the pool; several run at once. */
static int greet_job(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    const char *name = (const char *)job->data;

    if (job->size == 0)
        return rv_fail_text(-EBADMSG, "a job needs a name as its data");
    rv_progress(ctx, "greeting %s", name);
    return greet(ctx, (struct hello *)state, name);
}

/* Errors that the table of options cannot express. It only looks: it runs before anything else,
 * also for `reevectl check`. */
static int check(struct rv_context *ctx, const void *state)
{
    const struct hello *hello = (const struct hello *)state;

    if (strchr(hello->name, '\n'))
        return rv_fail_option(ctx, "name", "it is more than one line");
    return 0;
}

static int init(struct rv_context *ctx, void *state)
{
    struct hello *hello = (struct hello *)state;

    (void)ctx;
    hello->file = fopen(hello->path, "ae");
    return hello->file ? 0 : rv_fail(-errno, "open %s", hello->path);
}

static void fini(void *state)
{
    struct hello *hello = (struct hello *)state;

    fclose(hello->file);
}

RV_MODULE(.name = "hello", .version = "1", .summary = "Greets on a schedule, and by jobs",
          .state_size = sizeof(struct hello),
          .options = RV_OPTIONS(RV_OPTION_STRING(struct hello, name, .fallback = "world",
                                                 .help = "whom to greet"),
                                RV_OPTION_DURATION(struct hello, pause, .fallback = "10ms",
                                                   .help = "rest after each"),
                                RV_OPTION_PATH(struct hello, path, .fallback = "greetings",
                                               .help = "file to write to")),
          .tasks = RV_TASKS({.name = "greet",
                             .run = greet_on_schedule,
                             .every = "5s",
                             .timeout = "10s",
                             .help = "greets NAME"}),
          .pools = RV_POOLS({.name = "greetings",
                             .run = greet_job,
                             .workers = 2,
                             .retries = 1,
                             .help = "greets whom the job names"}),
          .init = init, .fini = fini, .check = check);
