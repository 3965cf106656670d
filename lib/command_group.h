/* SPDX-License-Identifier: MIT */
/* The processes that a program has started: its process group, and after a cancel also those that
 * have left that. */
#ifndef REEVE_LIB_COMMAND_GROUP_H
#define REEVE_LIB_COMMAND_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* A variable in the environment of a program and of what it starts. Its value is that of one run
 * alone. */
#define COMMAND_MARK "REEVE_COMMAND="

/* So many other groups are remembered. */
#define COMMAND_GROUPS_MAX 32

struct command_group {
    pid_t leader;  /* not reaped yet, so that the group's id is not another's */
    pid_t session; /* of the caller, and of the program: what has left it is not ours */
    char mark[64];
    bool spread;        /* what has left the leader's group counts, too */
    bool skips_leaders; /* what is in the leader's group does not */
    pid_t others[COMMAND_GROUPS_MAX];
    unsigned count;
};

/* Makes the mark. */
void command_group_init(struct command_group *group);

/* The caller's environment, or that of the argument, with the mark in it; its pointers alone are to
 * be freed. NULL: no memory. */
char **command_group_environment(const struct command_group *group, char *const *environment);

/* From now on all counts that the program has started and that is in its session. Called while the
 * leader lives, whose children are known by that. */
void command_group_spread(struct command_group *group);

/* Sends a signal to all of them. */
void command_group_signal(struct command_group *group, int signal);

/*
 * A process that lives, other than the leader: a pidfd, which is readable when that one ends, and
 * which the caller closes. -ESRCH: there is none, as far as /proc shows; -EMFILE, -ENFILE or
 * -ENOMEM for now; or another negative errno where there is no /proc.
 */
int command_group_find(struct command_group *group);

/*
 * Sends SIGTERM to those that cannot have got it: they live, and neither they nor those of the
 * group that they come from handle, ignore or block it. A shell that starts a program blocks
 * signals for a moment; one that comes then ends the shell, and the program, which has no parent
 * then, has never seen it. To those that have it, it is not sent again: a second one often means
 * "at once". A process that a living handler of it has started may be one that it tidies up with.
 */
void command_group_remind(struct command_group *group);

#endif
