/* SPDX-License-Identifier: MIT */
/* Two workers, a queue of sixteen, and one more attempt for what fails. */
#include <reeve/pool.h>
#include <stdio.h>

static int work(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    printf("job %d\n", *(int *)arg);
    return 0;
}

int main(void)
{
    struct rv_pool_options options = RV_POOL_DEFAULTS;
    struct rv_context *ctx = rv_context_background();
    int numbers[] = {1, 2, 3, 4, 5};
    struct rv_pool_stats stats;
    struct rv_pool *pool;

    options.workers = 2;
    options.queue = 16;
    options.retries = 1;
    if (rv_pool_create(ctx, &options, &pool) < 0)
        return 1;
    for (int i = 0; i < 5; i++)
        if (rv_pool_submit(ctx, pool, work, &numbers[i]) < 0)
            fputs("not accepted\n", stderr);
    if (rv_pool_drain(ctx, pool) < 0)
        fputs("not all is done\n", stderr);
    rv_pool_stats(pool, &stats);
    rv_pool_destroy(pool);
    return stats.finished != 5;
}
