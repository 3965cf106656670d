/* SPDX-License-Identifier: MIT */
/* Writes what no host writes into the scoreboard of this process. */
#ifndef REEVE_TESTS_BOARDS_H
#define REEVE_TESTS_BOARDS_H

#include <reeve/module.h>

/* Records that stay half-written, behind others that seem to be written all the time. Goes on until it is cancelled. */
int board_leave_half_written(struct rv_context *ctx);

#endif
