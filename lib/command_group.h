/* SPDX-License-Identifier: MIT */
/* What is left of a process group whose leader has ended. */
#ifndef REEVE_LIB_COMMAND_GROUP_H
#define REEVE_LIB_COMMAND_GROUP_H

#include <sys/types.h>

/*
 * A process of the group that lives, other than its leader: a pidfd, which is readable when that one ends, and
 * which the caller closes. -ESRCH: there is none, as far as /proc shows; -EMFILE, -ENFILE or -ENOMEM for now;
 * or another negative errno where there is no /proc. The leader must not be reaped yet, so that the group's id is not another's.
 */
int command_group_find(pid_t group);

/*
 * Sends SIGTERM to those of the group that cannot have got it: they live, and do neither handle nor ignore it. A
 * shell that starts a program blocks signals for a moment; one that comes then ends the shell, and the program
 * has never seen it. To those that have it, it is not sent again: a second one often means "at once".
 */
void command_group_remind(pid_t group);

#endif
