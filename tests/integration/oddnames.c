/* SPDX-License-Identifier: MIT */
/* A module whose tasks and pool have names that no label would have by itself. */
#include <reeve/module.h>

static int tick(struct rv_context *ctx, void *state)
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

RV_MODULE(.name = "oddnames", .summary = "Has odd names",
          .tasks = RV_TASKS({.name = "quote\"back\\slash", .run = tick, .every = "20ms"},
                            {.name = "line\nbreak", .run = tick, .every = "20ms"},
                            {.name = "ends in a back\\", .run = tick, .every = "20ms"},
                            {.name = "w\xc3\xb6rter {a=\"b\"} 1", .run = tick, .every = "20ms"},
                            {.name = "no\xff utf\xc3", .run = tick, .every = "20ms"},
                            /* Longer than a record's name: both are one in what is shown. */
                            {.name = "0123456789012345678901234567890123456789012345678901234567"
                                     "8901234567890123456789a",
                             .run = tick,
                             .every = "20ms"},
                            {.name = "0123456789012345678901234567890123456789012345678901234567"
                                     "8901234567890123456789b",
                             .run = tick,
                             .every = "20ms"},
                            /* For a shell that completes words. */
                            {.name = "$(touch ran)", .run = tick, .every = "20ms"},
                            {.name = "", .run = tick, .every = "20ms"}),
          .pools = RV_POOLS({.name = "po\"ol\\", .run = work, .workers = 1}));
