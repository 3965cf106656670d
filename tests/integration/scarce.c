/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into reeved and its hosts, it takes memory from as many of the next ones as the file SCARCE_FILE says, in three
 * numbers that are counted down: contexts of runs of tasks that are called "act" and of jobs of pools that are called
 * "work"; channels without room, by which a reload shuts its gate; and periodic functions, by which tasks run.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <reeve/channel.h>
#include <reeve/context.h>
#include <reeve/ticker.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RUNS, WAITS, PERIODIC, KINDS };

static _Atomic int *left;

__attribute__((constructor)) static void map_left(void)
{
    int fd = open(getenv("SCARCE_FILE"), O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, KINDS * sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd < 0 || memory == MAP_FAILED)
        abort();
    left = memory;
    close(fd);
}

static bool is_scarce(int kind)
{
    int count = atomic_load(&left[kind]);

    while (count > 0 && !atomic_compare_exchange_weak(&left[kind], &count, count - 1))
        ;
    return count > 0;
}

int rv_context_with_labels(struct rv_context *parent, const struct rv_labels *labels,
                           struct rv_context **ret_ctx)
{
    static int (*next)(struct rv_context *, const struct rv_labels *, struct rv_context **);

    if (labels->run > 0 &&
        (strcmp(labels->task, "act") == 0 || strcmp(labels->task, "work") == 0) && is_scarce(RUNS))
        return -ENOMEM;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "rv_context_with_labels");
    return next(parent, labels, ret_ctx);
}

int rv_channel_create(size_t element_size, size_t capacity, struct rv_channel **ret_channel)
{
    static int (*next)(size_t, size_t, struct rv_channel **);

    if (element_size == 1 && capacity == 0 && is_scarce(WAITS))
        return -ENOMEM;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "rv_channel_create");
    return next(element_size, capacity, ret_channel);
}

int rv_periodic_start(struct rv_context *ctx, const struct rv_periodic_spec *spec, rv_function fn,
                      void *arg, struct rv_periodic **ret_periodic)
{
    static int (*next)(struct rv_context *, const struct rv_periodic_spec *, rv_function, void *,
                       struct rv_periodic **);

    if (is_scarce(PERIODIC))
        return -ENOMEM;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "rv_periodic_start");
    return next(ctx, spec, fn, arg, ret_periodic);
}
