/* SPDX-License-Identifier: MIT */
/*
 * The children of this process that are nobody's: not watched by the loop. Only one list of them is
 * there, as there is one process; it stays open, for it is to be had also when no descriptor is.
 */
#ifndef REEVE_DAEMON_PROCESS_CHILDREN_H
#define REEVE_DAEMON_PROCESS_CHILDREN_H

#include <sys/types.h>

/* For the first thread. Returns 0, also where the kernel has no such list, or a negative errno. */
int children_open(void);
void children_close(void);

/* Calls act for each. Returns 0, or a negative errno when they could not be listed: -ENOENT, that
 * they never can. */
int children_each(void (*act)(pid_t pid));

#endif
