/* SPDX-License-Identifier: MIT */
/* Whether to look for a while before sleeping, and whether to leave alone what flows: both learned
 * from the last times. The records belong to whoever asks; nothing here is shared but a count. */
#include <pthread.h>
#include <sched.h>

#include "base/macro.h"
#include "lib/internal.h"
#include "lib/relax.h"

#define SPIN_FOR (20 * RV_MICROSECOND)
#define VAIN_MAX 6
#define PAUSES   32 /* between two looks at the clock */

#define GATHER_PAUSES 64
#define GATHER_HOPE   16
#define GATHER_EVERY  32

unsigned processor_count(void)
{
    static _Atomic unsigned known;
    cpu_set_t set;

    /* The set is too small for some machines; these have more than one. */
    if (known == 0)
        known = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 2;
    return known;
}

static bool look(unsigned pace, bool (*is_ready)(const void *arg), const void *arg)
{
    rv_time start = rv_now();

    do {
        for (unsigned i = 1; i <= PAUSES; i++) {
            relax();
            if (i % pace == 0 && is_ready(arg))
                return true;
        }
    } while (rv_now() - start < SPIN_FOR);
    return false;
}

bool hope_is_left(struct hope *hope)
{
    if (hope->skip == 0)
        return true;
    hope->skip--;
    return false;
}

static _Atomic unsigned spinners;

void hopes_forked(void)
{
    atomic_store_explicit(&spinners, 0, memory_order_relaxed);
}

bool hope_spin(struct hope *hope, unsigned pace, bool (*is_ready)(const void *arg), const void *arg)
{
    bool ready = false;

    if (atomic_fetch_add_explicit(&spinners, 1, memory_order_relaxed) < processor_count() - 1)
        ready = look(pace, is_ready, arg);
    atomic_fetch_sub_explicit(&spinners, 1, memory_order_relaxed);
    if (ready) {
        hope->vain = 0;
    } else {
        hope->vain = MIN(hope->vain + 1, (unsigned)VAIN_MAX);
        hope->skip = (1u << hope->vain) - 1;
    }
    return ready;
}

__thread struct flow thread_flows[2];

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

#define PLACE_FEW  8
#define PLACE_VAIN 10

void place_wake(struct place *place)
{
    place->cpu = sched_getcpu();
}

void place_woken(struct place *place)
{
    place->same = place->cpu == sched_getcpu();
}

bool place_sleep_on(struct place *place)
{
    if (!place->same)
        return false;
    if (place->skip == 0)
        return true;
    place->skip--;
    return false;
}

void place_learn(struct place *place, size_t count)
{
    if (count >= PLACE_FEW) {
        place->vain = 0;
    } else {
        place->vain = MIN(place->vain + 1, (unsigned)PLACE_VAIN);
        place->skip = (1u << place->vain) - 1;
    }
}

void short_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}
