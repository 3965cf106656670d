/* SPDX-License-Identifier: MIT */
/* A module built against a newer header of the same ABI version, whose tables go on. */
#include <reeve/module.h>

struct newer_task {
    struct rv_task task;
    const char *more;
};

static int run(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

static const struct newer_task tasks[] = {{{.name = "first", .run = run}, "more"}};

RV_MODULE(.name = "newer", .tasks = {tasks, 1, sizeof(struct newer_task)});
