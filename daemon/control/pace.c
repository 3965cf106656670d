/* SPDX-License-Identifier: MIT */
#include "daemon/control/pace.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/unit.h"

/* For how long a unit counts: a few times what most take. */
#define MOMENT (12 * NSEC_PER_MSEC)

int pace_init(struct pace *pace, struct loop *loop, void (*again)(void *arg), void *arg)
{
    *pace = (struct pace){.processors = (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L)};
    list_init(&pace->under_way);
    return loop_timer_create(loop, again, arg, &pace->timer);
}

void pace_finish(struct pace *pace)
{
    loop_timer_destroy(pace->timer);
}

bool pace_has_room(struct pace *pace, unsigned per_processor)
{
    int64_t now = clock_monotonic();
    struct unit *oldest;

    while (pace->count >= pace->processors * per_processor) {
        oldest = list_entry(pace->under_way.next, struct unit, pace_list);
        if (now < oldest->paced_at + MOMENT) {
            loop_timer_arm(pace->timer, oldest->paced_at + MOMENT - now);
            return false;
        }
        pace_end(pace, oldest);
    }
    return true;
}

void pace_begin(struct pace *pace, struct unit *unit)
{
    pace_end(pace, unit);
    unit->paced_at = clock_monotonic();
    list_append(&pace->under_way, &unit->pace_list);
    pace->count++;
}

void pace_end(struct pace *pace, struct unit *unit)
{
    if (list_is_empty(&unit->pace_list))
        return;
    list_remove(&unit->pace_list);
    pace->count--;
}
