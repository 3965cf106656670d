/* SPDX-License-Identifier: MIT */
/*
 * The runs of the last hour, minute by minute, for the page. Each minute the counters of all tasks
 * are compared with those of the minute before: no host is asked, and nothing is counted a second
 * time.
 */
#ifndef REEVE_DAEMON_EDGE_PAGE_RUN_HISTORY_H
#define REEVE_DAEMON_EDGE_PAGE_RUN_HISTORY_H

#include <stdbool.h>

#include "daemon/control/snapshot.h"

struct documents;
struct loop;
struct run_history;

#define RUN_HISTORY_MINUTES 60

/* A line of a task: a letter for each minute, the oldest first, the present one last. */
#define RUN_HISTORY_SIZE (RUN_HISTORY_MINUTES + 1)

enum run_history_minute {
    RUN_HISTORY_UNKNOWN = '-', /* reeved, or the task, was not there */
    RUN_HISTORY_NONE = '.',    /* no run has ended */
    RUN_HISTORY_LONG = 'r',    /* none has ended, and one was under way at the minute's end */
    RUN_HISTORY_GOOD = 'o',
    RUN_HISTORY_FAILED = 'x', /* all that ended have failed */
    RUN_HISTORY_MIXED = 'm',  /* some have failed */
};

/* documents: where the snapshots are from, from run_history_start() on. Returns 0 or -ENOMEM. */
int run_history_create(struct loop *loop, struct documents *documents,
                       struct run_history **ret_history);
/* NULL does nothing. */
void run_history_destroy(struct run_history *history);

/* There is a supervisor: samples are taken from now on, as long as wanted() says that there is a
 * page. */
void run_history_start(struct run_history *history, bool (*wanted)(void *arg), void *arg);

/* Takes one sample, as the end of each minute does. */
void run_history_sample(struct run_history *history);

/* The line of a task, which is of a snapshot. */
void run_history_line(const struct run_history *history, const char *module,
                      const struct snapshot_task *task, char ret_line[static RUN_HISTORY_SIZE]);

#endif
