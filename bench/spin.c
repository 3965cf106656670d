/* SPDX-License-Identifier: MIT */
/* A module for benchmarks whose pool never rests: each job computes for a millisecond, and the
 * queue is kept full. With as many workers as cores no core ever idles. */
#include <errno.h>
#include <reeve/module.h>
#include <time.h>

#define JOB_NS 1000000

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int spin(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    int64_t end = now() + JOB_NS;

    (void)job;
    (void)state;
    while (now() < end)
        if (rv_context_err(ctx) < 0)
            return rv_context_err(ctx);
    return 0;
}

/* Waits in rv_submit() while the queue is full, until the module stops. */
static int fill(struct rv_context *ctx, void *state)
{
    int r;

    (void)state;
    do
        r = rv_submit(ctx, "spin", "", 0);
    while (r == 0);
    return r;
}

RV_MODULE(.name = "spin", .summary = "Keeps cores busy",
          .tasks = RV_TASKS({.name = "fill", .run = fill, .every = "1s"}),
          .pools = RV_POOLS({.name = "spin", .run = spin, .workers = 2}));
