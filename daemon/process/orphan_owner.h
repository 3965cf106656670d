/* SPDX-License-Identifier: MIT */
/*
 * Whose an orphan is: it comes from a host, but the kernel does not say from which. Its session
 * tells, or else the mark in its environment. A process of another user's, and one that has made
 * itself undumpable, hides that from a daemon that is not root; then the user tells, if no living
 * host has it.
 */
#ifndef REEVE_DAEMON_PROCESS_ORPHAN_OWNER_H
#define REEVE_DAEMON_PROCESS_ORPHAN_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

/* "host " and a name. */
#define LABEL_SIZE 80

/* A host's process that has ended, until a look has found nothing more of it: its pid may then be
 * another's. */
struct ended {
    struct list list;
    pid_t pid; /* and that of its session */
    uid_t uid; /* PROCESS_NO_UID: not known */
    char mark[128];
    char host[LABEL_SIZE];
    bool found;
    int64_t deadline;        /* until when it is waited */
    void (*gone)(void *arg); /* NULL: nobody waits */
    void *arg;
};

enum owner {
    OWNER_NONE,   /* neither session nor mark tells */
    OWNER_HIDDEN, /* the mark cannot be read, and others have its user, too */
    OWNER_UNREAD, /* there were no descriptors or no memory to find out; errno says which */
    OWNER_LIVING,
    OWNER_ENDED,
    OWNER_BEFORE, /* it, or what began it, was there before reeved */
};

/* made: the mark of a host whose process is being made, or NULL; it counts as living. *ret_ended:
 * the host, of OWNER_ENDED, if it is among those that are known (struct ended, linked by `list`).
 */
enum owner orphan_find_owner(pid_t pid, const char *made, const struct list *known,
                             struct ended **ret_ended);

#endif
