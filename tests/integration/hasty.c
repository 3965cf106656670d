/* SPDX-License-Identifier: MIT */
/*
 * A module whose first task fails at once, while the start is still busy with its many others; before
 * that it submits jobs. What it submitted stands in the file `trace`, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <reeve/module.h>
#include <stdlib.h>
#include <unistd.h>

struct hasty {
    char *trace;
    char *calm; /* a file: while it is there nothing fails */
    bool submits;
};

static int fail(struct rv_context *ctx, void *state)
{
    const struct hasty *hasty = state;

    if (access(hasty->calm, F_OK) == 0)
        return 0;
    for (int i = 0; hasty->submits && i < 20; i++) {
        int fd;

        if (rv_submit(ctx, "work", "", 0) != 0)
            continue;
        fd = open(hasty->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, "submitted\n", 10) != 10)
            abort();
        close(fd);
    }
    return rv_fail_text(-EIO, "as told");
}

static int rest(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

static int work(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    return 0;
}

#define TASK(n) {.name = "t" n, .run = rest, .every = "1h"}
#define TEN(n)                                                                                 \
    TASK(n "0"), TASK(n "1"), TASK(n "2"), TASK(n "3"), TASK(n "4"), TASK(n "5"), TASK(n "6"), \
        TASK(n "7"), TASK(n "8"), TASK(n "9")

RV_MODULE(.name = "hasty", .summary = "Fails before it is ready",
          .state_size = sizeof(struct hasty),
          .options = RV_OPTIONS(RV_OPTION_PATH(struct hasty, trace, .fallback = "trace"),
                                RV_OPTION_PATH(struct hasty, calm, .fallback = "calm"),
                                RV_OPTION_BOOL(struct hasty, submits, .fallback = "no")),
          .tasks = RV_TASKS({.name = "fail", .run = fail, .every = "1ms", .on_error = "restart"},
                            TEN("1"), TEN("2"), TEN("3"), TEN("4"), TEN("5"), TEN("6")),
          .pools = RV_POOLS({.name = "work", .run = work, .workers = 2}), );
