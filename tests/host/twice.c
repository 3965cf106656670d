/* SPDX-License-Identifier: MIT */
/* A task and a pool of one name: whose is the key work.timeout? */
#include <reeve/module.h>

static int run(struct rv_context *ctx, void *state)
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

RV_MODULE(.name = "twice", .tasks = RV_TASKS({.name = "work", .run = run}),
          .pools = RV_POOLS({.name = "work", .run = work}));
