/* SPDX-License-Identifier: MIT */
/* A module with so many pools that two of it do not fit into one process. */
#include <reeve/module.h>

static int work(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    return 0;
}

#define POOL(number)         \
    {                        \
        .name = "p" #number, \
        .run = work,         \
    }
#define TEN(tens)                                                                             \
    POOL(tens##0), POOL(tens##1), POOL(tens##2), POOL(tens##3), POOL(tens##4), POOL(tens##5), \
        POOL(tens##6), POOL(tens##7), POOL(tens##8), POOL(tens##9)

RV_MODULE(.name = "manypools", .summary = "Has 40 pools",
          .pools = RV_POOLS(TEN(0), TEN(1), TEN(2), TEN(3)));
