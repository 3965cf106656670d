/* SPDX-License-Identifier: MIT */
/*
 * A module that submits where it hardly can: in init, reload and fini, from a job that its stop cancels, and
 * to a pool that is full. It logs what it was told.
 */
#include <fcntl.h>
#include <reeve/module.h>
#include <string.h>
#include <unistd.h>

struct submitter {
    char *when;
    struct rv_context *kept; /* init's, for fini, which has none */
};

static void submit(struct rv_context *ctx, const char *where)
{
    int r = rv_submit(ctx, "first", "left over", 9);

    rv_log(ctx, RV_LOG_NOTICE, "in %s: %d %s", where, r, r < 0 ? rv_error_text() : "");
}

static int init(struct rv_context *ctx, void *state)
{
    struct submitter *submitter = state;

    submitter->kept = ctx;
    if (strcmp(submitter->when, "init") == 0)
        submit(ctx, "init");
    return 0;
}

static int reload(struct rv_context *ctx, void *state)
{
    (void)state;
    submit(ctx, "reload");
    return 0;
}

static void fini(void *state)
{
    struct submitter *submitter = state;

    submit(submitter->kept, "fini");
}

static int run_first(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    return 0;
}

/* Waits for somebody who opens the fifo, and goes on in the other pool. */
static int hand_on(struct rv_context *ctx, const char *fifo)
{
    int fd;

    rv_log(ctx, RV_LOG_NOTICE, "opens %s", fifo);
    fd = open(fifo, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return rv_submit(ctx, "first", "handed on", 9);
}

/* Puts back what is left when it is cancelled, which takes longer than the other pool's end. */
static int run_second(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)state;
    if (job->size > 0 && strncmp(job->data, "hand on ", 8) == 0)
        return hand_on(ctx, (const char *)job->data + 8);
    rv_log(ctx, RV_LOG_NOTICE, "waits");
    rv_sleep(ctx, RV_FOREVER);
    for (int i = 0; i < 20000; i++)
        if (rv_submit(ctx, "first", "left over", 9) == 0)
            rv_log(ctx, RV_LOG_ERROR, "accepted while it stops");
    submit(ctx, "a cancelled job");
    return 0;
}

/* One that runs, one that waits, and one for which there is no room. */
static int fill(struct rv_context *ctx, void *state)
{
    int r;

    (void)state;
    for (int i = 0; i < 2; i++)
        if ((r = rv_submit(ctx, "second", "", 0)) < 0)
            return r;
    rv_log(ctx, RV_LOG_NOTICE, "submits the third");
    r = rv_submit(ctx, "second", "", 0);
    rv_log(ctx, RV_LOG_NOTICE, "the third: %d", r);
    return r;
}

RV_MODULE(.name = "submitter", .state_size = sizeof(struct submitter),
          .options = RV_OPTIONS(RV_OPTION_STRING(struct submitter, when, .fallback = "")),
          .tasks = RV_TASKS({.name = "fill", .run = fill}),
          .pools = RV_POOLS({.name = "first", .run = run_first, .workers = 1},
                            {.name = "second", .run = run_second, .workers = 1}),
          .init = init, .fini = fini, .reload = reload);
