/* SPDX-License-Identifier: MIT */
/*
 * The share of the machine that the hosts and the supervisor itself take. Only who shows it pays
 * for reading it: it is not part of a snapshot, which every probe takes, but goes with one.
 */
#ifndef REEVE_DAEMON_CONTROL_USAGE_REPORT_H
#define REEVE_DAEMON_CONTROL_USAGE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/process/usage.h"

struct snapshot;

struct usage_of_host {
    char name[64];
    char module[64]; /* its only tenant; "" when there are several */
    int64_t cpu;     /* ns, of all its incarnations */
    bool running;    /* else the rest is nothing */
    struct usage usage;
};

struct usage_report {
    bool known; /* own is */
    struct usage own;
    int64_t started; /* real time when reeved started */
    uint64_t fds_max;
    struct usage_of_host *hosts;
    size_t host_count;
};

/* Figures are at most a second old. Does not block. Returns 0 or -ENOMEM. */
int usage_report_take(const struct snapshot *snapshot, struct usage_report *ret_bill);
void usage_report_free(struct usage_report *bill);
#define cleanup_usage_report _cleanup_(usage_report_free)

/* NULL when there is none of that name. */
const struct usage_of_host *usage_report_find(const struct usage_report *bill, const char *host);

#endif
