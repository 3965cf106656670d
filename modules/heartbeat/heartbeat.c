/* SPDX-License-Identifier: MIT */
/*
 * heartbeat - writes the time into a file, and logs it
 *
 * Whoever reads the file, or looks at its age, knows that tasks run. It is also the smallest
 * example of a module; one to begin with is the template of reeve-module(7).
 *
 * Options
 *
 *     file = PATH      where the time is written, as one line of RFC 3339 in UTC; replaced as a
 *                      whole, so that a reader sees the old or the new line, also after a power
 *                      cut. Default: heartbeat
 *     log = yes | no   whether each beat is logged. Default: no
 *
 * Tasks
 *
 *     beat             every 10s
 *
 * Example
 *
 *     [module:heartbeat]
 *     load = heartbeat
 *     file = /run/reeve/heartbeat
 *     beat.every = 5s
 */
#include <fcntl.h>
#include <reeve/module.h>
#include <string.h>
#include <time.h>

/* The module's state: first what options are bound to, then what is its own. It is zeroed before.
 */
struct heartbeat {
    char *file;
    bool log;
};

/* A task: it runs on a thread of the runtime and may block as long as ctx is not done. */
static int beat(struct rv_context *ctx, void *state)
{
    struct heartbeat *heartbeat = state;
    char now[40];
    time_t seconds = time(NULL);
    struct tm tm;
    int r;

    gmtime_r(&seconds, &tm);
    strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ\n", &tm);
    r = rv_file_replace(AT_FDCWD, heartbeat->file, now, strlen(now), 0644);
    if (r < 0)
        return r;
    now[strcspn(now, "\n")] = '\0';
    rv_progress(ctx, "last beat at %s", now);
    if (heartbeat->log)
        rv_log(ctx, RV_LOG_INFO, "beat");
    return 0;
}

/* Takes new options without a restart: there is nothing else to change. */
static int reload(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "heartbeat", .version = "1",
          .summary = "Writes the time into a file, and logs it",
          .state_size = sizeof(struct heartbeat),
          .options = RV_OPTIONS(RV_OPTION_PATH(struct heartbeat, file, .fallback = "heartbeat",
                                               .help = "file for the time"),
                                RV_OPTION_BOOL(struct heartbeat, log, .fallback = "no",
                                               .help = "whether to log each beat")),
          .tasks = RV_TASKS({.name = "beat",
                             .run = beat,
                             .every = "10s",
                             .timeout = "30s",
                             .help = "writes the time"}),
          .reload = reload, .reentrant = true);
