/* SPDX-License-Identifier: MIT */
/* The part of /health for one module: reads its record and its task's from the scoreboard, which
 * are memory. Prints nanoseconds a module. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/scoreboard.h"

#define COUNT 5000000

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void)
{
    const struct scoreboard *board;
    struct scoreboard_module module;
    struct scoreboard_task task;
    unsigned long good = 0;
    double start;
    int fd;

    if (scoreboard_create("bench", &fd, &board) < 0)
        return 1;
    start = now();
    for (int i = 0; i < COUNT; i++)
        good += scoreboard_read_module(board, 0, &module) && scoreboard_read_task(board, 0, &task);
    printf("{\"ns\": %.2f, \"result\": %lu}\n", (now() - start) / COUNT, good);
    scoreboard_unmap(board);
    return good == COUNT ? 0 : 1;
}
