/* SPDX-License-Identifier: MIT */
/*
 * A peer that asks for more than it may is named in the log: anybody can ask, as often as it likes.
 * So each user has a line a minute for each kind of request, and the rest is counted; those who
 * come when the table is full share its last line.
 */
#include "daemon/edge/control/refusals.h"

#include <errno.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"

#define REFUSALS_MAX 16
#define PERIOD       (60 * NSEC_PER_SEC)

struct refusal {
    uid_t uid;
    const char *what;
    unsigned long further; /* since it was told */
};

struct refusals {
    struct refusal table[REFUSALS_MAX];
    unsigned count;
    bool crowded;             /* the last stands for further ones, too */
    struct loop_timer *timer; /* the end of the present minute */
};

static void minute_over(void *arg)
{
    struct refusals *refusals = arg;

    for (unsigned i = 0; i < refusals->count; i++) {
        const struct refusal *refusal = &refusals->table[i];

        if (refusal->further > 0)
            log_warning("control: refused %lu further %s within a minute%s: uid %u %s",
                        refusal->further, plural(refusal->further, "request", "requests"),
                        refusals->crowded && i == REFUSALS_MAX - 1 ? ", of several users" : "",
                        (unsigned)refusal->uid, refusal->what);
    }
    refusals->count = 0;
    refusals->crowded = false;
}

int refusals_create(struct loop *loop, struct refusals **ret_refusals)
{
    struct refusals *refusals = calloc(1, sizeof(*refusals));
    int r = refusals ? loop_timer_create(loop, minute_over, refusals, &refusals->timer) : -ENOMEM;

    if (r < 0) {
        free(refusals);
        return r;
    }
    *ret_refusals = refusals;
    return 0;
}

void refusals_destroy(struct refusals *refusals)
{
    if (!refusals)
        return;
    minute_over(refusals);
    loop_timer_destroy(refusals->timer);
    free(refusals);
}

void refusals_note(struct refusals *refusals, uid_t uid, pid_t pid, const char *what)
{
    struct refusal *refusal;
    unsigned i = 0;

    while (i < refusals->count &&
           (refusals->table[i].uid != uid || refusals->table[i].what != what))
        i++;
    refusal = &refusals->table[MIN(i, REFUSALS_MAX - 1U)];
    if (i < refusals->count || i == REFUSALS_MAX) {
        refusal->further++;
        refusals->crowded = refusals->crowded || i == REFUSALS_MAX;
        return;
    }
    *refusal = (struct refusal){.uid = uid, .what = what};
    refusals->count++;
    log_warning("control: refused uid %u, pid %d: it %s", (unsigned)uid, (int)pid, what);
    if (loop_timer_due(refusals->timer) == 0)
        loop_timer_arm(refusals->timer, PERIOD);
}
