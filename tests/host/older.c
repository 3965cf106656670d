/* SPDX-License-Identifier: MIT */
/* A module built against an older header, whose tables ended earlier. */
#include <reeve/module.h>

struct older_task {
    const char *name;
    int (*run)(struct rv_context *ctx, void *state);
};

static int run(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

static void fini(void *state)
{
    (void)state;
}

static const struct older_task tasks[] = {{"first", run}, {"second", run}};

__attribute__((section(".note.reeve"), used,
               aligned(4))) static const struct rv_module_note note = {
    sizeof(RV_MODULE_NOTE_OWNER), sizeof(uint32_t), RV_MODULE_NOTE_TYPE, RV_MODULE_NOTE_OWNER,
    RV_MODULE_ABI};

extern const struct rv_module rv_module;
__attribute__((visibility("default"))) const struct rv_module rv_module = {
    .size = offsetof(struct rv_module, init),
    .abi = RV_MODULE_ABI,
    .name = "older",
    .tasks = {tasks, 2, sizeof(struct older_task)},
    /* Past its end: never to be read. */
    .fini = fini,
};
