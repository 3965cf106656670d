/* SPDX-License-Identifier: MIT */
/* At most 64 MiB at once for all, in the order in which they asked. */
#include <reeve/semaphore.h>

static int use(struct rv_context *ctx, struct rv_semaphore *memory, uint64_t bytes)
{
    int r = rv_semaphore_acquire(ctx, memory, bytes);

    if (r < 0)
        return r;
    /* ... */
    rv_semaphore_release(memory, bytes);
    return 0;
}

int main(void)
{
    struct rv_semaphore *memory;
    int r;

    if (rv_semaphore_create(64 << 20, &memory) < 0)
        return 1;
    r = use(rv_context_background(), memory, 10 << 20);
    rv_semaphore_destroy(memory);
    return r < 0;
}
