/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into reeved and its hosts, it takes memory from runs of tasks that are called "act" and jobs of pools that are
 * called "work": as many of the next ones find none for their context as the file SCARCE_FILE says, a number that they
 * count down.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <reeve/context.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic int *left;

__attribute__((constructor)) static void map_left(void)
{
    int fd = open(getenv("SCARCE_FILE"), O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd < 0 || memory == MAP_FAILED)
        abort();
    left = memory;
    close(fd);
}

static bool is_scarce(void)
{
    int count = atomic_load(left);

    while (count > 0 && !atomic_compare_exchange_weak(left, &count, count - 1))
        ;
    return count > 0;
}

int rv_context_with_labels(struct rv_context *parent, const struct rv_labels *labels,
                           struct rv_context **ret_ctx)
{
    static int (*next)(struct rv_context *, const struct rv_labels *, struct rv_context **);

    if (labels->run > 0 &&
        (strcmp(labels->task, "act") == 0 || strcmp(labels->task, "work") == 0) && is_scarce())
        return -ENOMEM;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "rv_context_with_labels");
    return next(parent, labels, ret_ctx);
}
