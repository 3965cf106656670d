/* SPDX-License-Identifier: MIT */
/* Lists of orphans: those that were killed and have not ended, and those that were told of. */
#ifndef REEVE_DAEMON_PROCESS_ORPHAN_LIST_H
#define REEVE_DAEMON_PROCESS_ORPHAN_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct orphan {
    struct list list;
    pid_t pid;
    int64_t since;
    bool named; /* it has been said that it does not end */
};

/* NULL: it is not in the list. */
struct orphan *orphan_find(struct list *list, pid_t pid);

/* Without memory for it, it is in no list. */
void orphan_add(struct list *list, pid_t pid);

/* Takes it from its list. */
void orphan_free(struct orphan *orphan);

#endif
