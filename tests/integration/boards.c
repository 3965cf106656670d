/* SPDX-License-Identifier: MIT */
/* What a module can do to the scoreboard of its host, which is memory of its own process. */
#include "boards.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/wire/scoreboard.h"

static struct scoreboard *find_board(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    struct scoreboard *board = NULL;
    char line[512];

    while (maps && !board && fgets(line, sizeof(line), maps))
        if (strstr(line, "memfd:reeve-scoreboard"))
            board = (struct scoreboard *)strtoul(line, NULL, 16); /* NOLINT: as the kernel says */
    if (maps)
        fclose(maps);
    return board;
}

int board_leave_half_written(struct rv_context *ctx)
{
    struct scoreboard *board = find_board();

    if (!board)
        return rv_fail_text(-ENOENT, "there is no scoreboard");
    /* The first is the honest task's. */
    for (unsigned i = 1; i < 4; i++) {
        board->tasks[i].head.used = 1;
        board->tasks[i].head.sequence = 1;
    }
    /* The last one stays as it is; the others seem to be written each time that somebody looks. */
    while (rv_context_err(ctx) == 0) {
        for (unsigned i = 1; i < 3; i++)
            atomic_fetch_add((_Atomic uint32_t *)&board->tasks[i].head.sequence, 2);
        poll(NULL, 0, 10);
    }
    return 0;
}
