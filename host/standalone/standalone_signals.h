/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM of a module that runs alone. */
#ifndef REEVE_HOST_STANDALONE_RUN_SIGNALS_H
#define REEVE_HOST_STANDALONE_RUN_SIGNALS_H

struct rv_cancel;

/* Returns 0 or a negative errno. */
int standalone_signals_begin(void);

/*
 * The first of them cancels the context. One that comes right behind is the same one, sent to the
 * process and to its group, as timeout(1) does. A later one ends the process at once. For the main
 * thread; does not return.
 */
_Noreturn void standalone_signals_watch(struct rv_cancel *cancel);

#endif
