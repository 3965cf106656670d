/* SPDX-License-Identifier: MIT */
/*
 * What the hosts and the supervisor itself take of the machine. Only who shows it pays for reading it:
 * it is not part of a snapshot, which every probe takes, but goes with one.
 */
#ifndef REEVE_DAEMON_CONTROL_BILL_H
#define REEVE_DAEMON_CONTROL_BILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/process/usage.h"

struct snapshot;

struct bill_host {
    char name[64];
    char module[64]; /* its only tenant; "" when there are several */
    int64_t cpu;     /* ns, of all its incarnations */
    bool running;    /* else the rest is nothing */
    struct usage usage;
};

struct bill {
    bool known; /* own is */
    struct usage own;
    int64_t started; /* real time when reeved started */
    uint64_t fds_max;
    struct bill_host *hosts;
    size_t host_count;
};

/* Figures are at most a second old. Does not block. Returns 0 or -ENOMEM. */
int bill_take(const struct snapshot *snapshot, struct bill *ret_bill);
void bill_free(struct bill *bill);
#define cleanup_bill _cleanup_(bill_free)

/* NULL when there is none of that name. */
const struct bill_host *bill_find(const struct bill *bill, const char *host);

#endif
