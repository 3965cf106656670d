/* SPDX-License-Identifier: MIT */
/* Exit statuses of children in a process that ignores SIGCHLD. */
#ifndef REEVE_LIB_CHILD_STATUS_H
#define REEVE_LIB_CHILD_STATUS_H

/* Before a child is started: until the release, its status is kept for waitid(). Any thread. */
void child_status_keep(void);

/* For fork.c. In the child, with the lock: none of what its parent waits for is its own. */
void child_status_lock(void);
void child_status_unlock(void);
void child_status_forked(void);

/* After the child was reaped. The last release puts back what was set for SIGCHLD before. */
void child_status_release(void);

#endif
