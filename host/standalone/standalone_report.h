/* SPDX-License-Identifier: MIT */
/* The end of a module that runs alone: where it is run by reeved, that says the same. */
#ifndef REEVE_HOST_STANDALONE_RUN_REPORT_H
#define REEVE_HOST_STANDALONE_RUN_REPORT_H

#include "wire/scoreboard.h"

/* Of crash_install(): signal, task and frames, on the terminal. */
void standalone_report_crash(const struct scoreboard_stack *crash);

/* Ends the process for something that hangs, whose stack is noted, with the reason and that stack.
 */
_Noreturn void standalone_end_hanging(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The same for whatever the module does for the longest time. */
_Noreturn void standalone_end_stuck(const char *why);

/* From here on exit() is the host's own; before, a module that calls it is told so. */
void standalone_expect_exit(void);
void standalone_watch_exit(void);

#endif
