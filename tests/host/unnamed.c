/* SPDX-License-Identifier: MIT */
/* A module whose second task has no function. */
#include <reeve/module.h>

static int run(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "unnamed", .tasks = RV_TASKS({.name = "good", .run = run}, {.name = "bad"}));
