/* SPDX-License-Identifier: MIT */
/* A module that needs libc only and has nothing to do for a day. */
#include <reeve/module.h>

static int rest(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "idle", .summary = "Has nothing to do",
          .tasks = RV_TASKS({.name = "rest", .run = rest, .every = "1d"}));
