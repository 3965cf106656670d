/* SPDX-License-Identifier: MIT */
/* A module that has one of everything that can be described, a mistake in its own defaults, and a
 * constructor that does what the environment says: nobody who only looks may be hurt by it. */
#include <fcntl.h>
#include <reeve/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct described {
    char *some_text;
    struct rv_list many;
    bool flag;
    int64_t number;
    uint64_t bytes;
    rv_duration pause;
    char *path;
    int choice;
    char *password;
};

__attribute__((constructor)) static void do_as_told(void)
{
    const char *what = getenv("REEVE_TEST_CONSTRUCTOR");

    if (!what)
        return;
    if (strcmp(what, "crash") == 0)
        abort();
    if (strcmp(what, "exit") == 0)
        _exit(7);
    if (strcmp(what, "pause") == 0)
        for (;;)
            pause();
    /* As far as who reads its records can tell, it has ended. */
    for (int fd = 0; strcmp(what, "close") == 0; fd++)
        if (fd < 64)
            close(fd);
        else
            pause();
    if (strcmp(what, "print") == 0) {
        puts("module\tname=forged\nend\n\033[31m");
        fflush(stdout);
    }
    /* Where the records go, for who looks for it. */
    for (int fd = 3; strcmp(what, "forge") == 0 && fd < 20; fd++)
        (void)!write(fd, "task\tname=a\033[31m\xff\tnosuch=1\tx\nnosuch\ty=z\noption\n", 46);
    if (strncmp(what, "write ", 6) == 0) {
        int fd = open(what + 6, O_WRONLY | O_CREAT, 0644);

        if (fd >= 0)
            close(fd);
    }
}

static int run(struct rv_context *ctx, void *state)
{
    (void)state;
    rv_progress(ctx, "ran");
    return 0;
}

static int work(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    return 0;
}

static int health(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

static const char *const choices[] = {"this", "that", NULL};

RV_MODULE(.name = "described", .version = "3.1", .summary = "Has one of everything",
          .state_size = sizeof(struct described),
          .options = RV_OPTIONS(
              RV_OPTION_STRING(struct described, some_text, .help = "with\ta tab\nand"),
              RV_OPTION_LIST(struct described, many, .required = true),
              RV_OPTION_BOOL(struct described, flag, .fallback = "yes"),
              RV_OPTION_INT(struct described, number, .fallback = "", .minimum = -3, .maximum = 7),
              RV_OPTION_SIZE(struct described, bytes, .minimum = 1024, .maximum = 1 << 20),
              RV_OPTION_DURATION(struct described, pause, .minimum = RV_SECOND, .maximum = RV_HOUR),
              RV_OPTION_PATH(struct described, path),
              RV_OPTION_ENUM(struct described, choice, .fallback = "that", .choices = choices),
              RV_OPTION_SECRET(struct described, password, .fallback = "hunter2")),
          .tasks = RV_TASKS({.name = "by-interval",
                             .run = run,
                             .every = "90s",
                             .jitter = "2s",
                             .timeout = "5s",
                             .grace = "2s",
                             .overlap = "queue",
                             .on_error = "restart",
                             .on_stop = "finish",
                             .catch_up = "no",
                             .help = "does this"},
                            {.name = "by-calendar", .run = run, .at = "Mon..Fri 03:00"},
                            {.name = "on-request", .run = run, .timeout = "soon"}),
          .pools = RV_POOLS({.name = "work",
                             .run = work,
                             .workers = 3,
                             .queue = 5,
                             .retries = 2,
                             .timeout = "1min",
                             .backoff = "1s",
                             .help = "does that"},
                            {.name = "plain", .run = work}),
          .health = health, );
