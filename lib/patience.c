/* SPDX-License-Identifier: MIT */
/* Whether to look for a while before sleeping, and whether to leave alone what flows: both learned
 * from the last times. The records belong to whoever asks; nothing here is shared but a count. */
#include <pthread.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/internal.h"
#include "lib/relax.h"

#define SPIN_FOR   (20 * RV_MICROSECOND)
#define SHORT_WAIT (50 * RV_MICROSECOND) /* of a sleep, with the time that waking takes */
#define HOPE_MAX   4
#define PAUSES     32 /* between two looks at the clock */

#define GATHER_PAUSES   64
#define GATHERED_ENOUGH 16
#define GATHER_HOPE     16
#define GATHER_EVERY    32

static unsigned processors(void)
{
    static _Atomic long known;

    if (known == 0)
        known = sysconf(_SC_NPROCESSORS_ONLN);
    return known > 0 ? (unsigned)known : 1;
}

bool hope_spin(struct hope *hope, unsigned pace, bool (*is_ready)(const void *arg), const void *arg)
{
    static _Atomic unsigned spinners;
    bool ready = false;
    rv_duration start;

    if (hope->left == 0)
        return false;
    start = rv_now();
    if (atomic_fetch_add_explicit(&spinners, 1, memory_order_relaxed) < processors())
        do {
            for (unsigned i = 1; i <= PAUSES && !ready; i++) {
                relax();
                ready = i % pace == 0 && is_ready(arg);
            }
        } while (!ready && rv_now() - start < SPIN_FOR);
    atomic_fetch_sub_explicit(&spinners, 1, memory_order_relaxed);
    if (ready)
        hope->left = HOPE_MAX;
    return ready;
}

void hope_learn(struct hope *hope, rv_duration slept)
{
    if (slept < SHORT_WAIT)
        hope->left = MIN(hope->left + 1, HOPE_MAX);
    else
        hope->left = MAX(hope->left - 1, 0);
}

void flow_gather(struct flow *flow)
{
    if (flow->left == 0 && ++flow->since % GATHER_EVERY > 0)
        return;
    for (int i = 0; i < GATHER_PAUSES; i++)
        relax();
}

void flow_learn(struct flow *flow, size_t count)
{
    if (count >= GATHERED_ENOUGH)
        flow->left = GATHER_HOPE;
    else if (flow->left > 0)
        flow->left--;
}

void short_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}
