/* SPDX-License-Identifier: MIT */
/* Why something was cancelled, or ended: a code and a text, handed down the tree to every host and
 * task, and a kind for programs. */
#ifndef REEVE_DAEMON_UNIT_CAUSE_H
#define REEVE_DAEMON_UNIT_CAUSE_H

#define CAUSE_TEXT_SIZE 192

/* A live upgrade hands these over as numbers: add new ones at the end. */
enum cause_kind {
    CAUSE_NONE,
    CAUSE_CRASH,      /* its host died: of a signal, or with an exit code */
    CAUSE_LIMIT,      /* the kernel killed its host for one of its limits */
    CAUSE_HANG,       /* its host was killed because something in it did not end */
    CAUSE_KILLED,     /* the supervisor killed its host for another reason */
    CAUSE_EXIT,       /* its host exited with 0 */
    CAUSE_FAILURE,    /* its init failed, or one of its tasks with on-error = restart */
    CAUSE_NEIGHBOUR,  /* another module in its host was at fault */
    CAUSE_DEPENDENCY, /* a module that it requires went down */
    CAUSE_OPERATOR,   /* a person asked for it */
    CAUSE_RELOAD,
    CAUSE_UPGRADE, /* its host spoke another wire version */
    CAUSE_KIND_COUNT,
};

struct cause {
    int code; /* a negative errno; 0: not cancelled */
    enum cause_kind kind;
    char text[CAUSE_TEXT_SIZE];
};

#endif
