/* SPDX-License-Identifier: MIT */
#include "daemon/process/allowance.h"

#include "base/clock.h"
#include "base/macro.h"

struct allowance allowance_begin(int64_t per_second, int64_t burst)
{
    int64_t cost = NSEC_PER_SEC / per_second;

    return (struct allowance){cost, burst * cost, burst * cost, clock_monotonic()};
}

bool allowance_take(struct allowance *allowance)
{
    int64_t now = clock_monotonic();

    allowance->left = MIN(allowance->left + now - allowance->refilled_at, allowance->most);
    allowance->refilled_at = now;
    if (allowance->left < allowance->cost)
        return false;
    allowance->left -= allowance->cost;
    return true;
}
