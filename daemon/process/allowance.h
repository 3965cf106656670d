/* SPDX-License-Identifier: MIT */
/* How often something may happen: so many times a second on average, and a burst now and then. */
#ifndef REEVE_DAEMON_PROCESS_ALLOWANCE_H
#define REEVE_DAEMON_PROCESS_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

struct allowance {
    int64_t cost; /* ns that earn one time */
    int64_t most;
    int64_t left; /* ns */
    int64_t refilled_at;
};

/* One with a whole burst left. */
struct allowance allowance_begin(int64_t per_second, int64_t burst);

/* Whether it may happen once more, now; then that is taken. */
bool allowance_take(struct allowance *allowance);

#endif
