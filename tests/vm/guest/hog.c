/* SPDX-License-Identifier: MIT */
/* A module that takes more than it should: eat touches `mib` MiB of memory, burn a whole processor.
 */
#include <errno.h>
#include <reeve/module.h>
#include <stdlib.h>

struct hog {
    int64_t mib;
};

static int eat(struct rv_context *ctx, void *state)
{
    const struct hog *hog = state;
    size_t size = (size_t)hog->mib << 20;
    volatile char *memory = malloc(size);

    if (!memory)
        return rv_fail(-ENOMEM, "take %zu bytes", size);
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
    rv_log(ctx, RV_LOG_INFO, "took %zu bytes", size);
    free((void *)memory);
    return 0;
}

static int burn(struct rv_context *ctx, void *state)
{
    (void)state;
    while (rv_context_err(ctx) == 0)
        ;
    return 0;
}

RV_MODULE(.name = "hog", .summary = "Takes memory and processor time",
          .state_size = sizeof(struct hog),
          .options = RV_OPTIONS(RV_OPTION_INT64(struct hog, mib, .fallback = "300",
                                                .help = "MiB to take")),
          .tasks = RV_TASKS({.name = "eat", .run = eat, .every = "never"},
                            {.name = "burn", .run = burn, .every = "never"}), );
