/* SPDX-License-Identifier: MIT */
/* How the process of a host is known: by its pid, its session, its user and its mark. */
#ifndef REEVE_DAEMON_PROCESS_IDENTITY_H
#define REEVE_DAEMON_PROCESS_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

/* Of a host, which lists it for as long as it is there itself. */
struct identity {
    struct list list; /* of this process */
    pid_t pid;        /* and that of its session; 0: there is no process */
    uid_t uid;        /* as which it runs; PROCESS_NO_UID: not known (yet) */
    char mark[128];   /* see spawn.h */
    bool ended;       /* it has, but its owner does not know yet */
};

void identity_add(struct identity *identity);
void identity_remove(struct identity *identity);

/* Whether the process is one of our hosts, or (with descendants) in the session of one. */
bool identity_has_process(pid_t pid, bool descendants);
/* Whether a host that lives has this mark: its process's variable WIRE_MARK. */
bool identity_has_mark(const char *mark);
/* Whether a host that lives runs as this user, or may do so. */
bool identity_has_uid(uid_t uid);

#endif
