/* SPDX-License-Identifier: MIT */
#ifndef PHASES_CALLS_H
#define PHASES_CALLS_H

#include <reeve/context.h>

struct call {
    const char *name;
    int (*fn)(struct rv_context *ctx); /* 0 or a negative errno */
};

/* Ends with one without a name. */
extern const struct call calls[];

#endif
