/* SPDX-License-Identifier: MIT */
/* Empty jobs through libreeve's pool, queue 1024. */
#include <reeve/pool.h>
#include <stdatomic.h>

#include "bench/program.h"

static _Atomic uint64_t done;

static int job(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    return 0;
}

int main(int argc, char **argv)
{
    struct rv_pool_options options = {.size = sizeof(options), .queue = 1024};
    struct rv_context *ctx = rv_context_background();
    struct program program;
    struct rv_pool *pool;

    program_start(&program, argc, argv);
    options.workers = program.workers;
    if (rv_pool_create(ctx, &options, &pool) < 0)
        return 1;
    for (uint64_t i = 0; i < program.count; i++)
        if (rv_pool_submit(ctx, pool, job, NULL) < 0)
            return 1;
    if (rv_pool_drain(ctx, pool) < 0)
        return 1;
    program_finish(&program, atomic_load(&done));
    rv_pool_destroy(pool);
    return 0;
}
