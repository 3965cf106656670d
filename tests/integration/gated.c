/* SPDX-License-Identifier: MIT */
/* A module whose constructor waits while there is a fifo `gate`, until somebody opens and closes its other end. */
#include <fcntl.h>
#include <reeve/module.h>
#include <unistd.h>

__attribute__((constructor)) static void wait_at_the_gate(void)
{
    int fd = open("gate", O_RDONLY | O_CLOEXEC);
    char byte;

    if (fd < 0)
        return;
    (void)!read(fd, &byte, 1);
    close(fd);
}

static int run(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "gated", .summary = "Takes its time to be loaded", .state_size = 1,
          .tasks = RV_TASKS({.name = "run", .run = run}), );
