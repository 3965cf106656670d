/* SPDX-License-Identifier: MIT */
/* A module for benchmarks that crashes as soon as it is ready, and again after each restart. */
#include <reeve/module.h>
#include <stdlib.h>

static int crash(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    abort();
}

RV_MODULE(.name = "looping", .summary = "Crashes again and again",
          .tasks = RV_TASKS({.name = "crash", .run = crash, .every = "10ms"}));
