/* SPDX-License-Identifier: MIT */
/* A module whose init fails. */
#include <errno.h>
#include <reeve/module.h>

static int init(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return rv_fail_text(-EIO, "no such luck");
}

RV_MODULE(.name = "badinit", .summary = "Cannot start", .init = init);
