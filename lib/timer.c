/* SPDX-License-Identifier: MIT */
/*
 * One wheel of timers and one thread for all deadlines and periodic functions.
 *
 * Properties: the thread sleeps until the earliest timer is due, and for ever when there is none.
 * Where timers are dense, it sleeps for at least SLACK after it has run some, and runs what has
 * become due meanwhile at once: to wake for each costs more than most are worth. So a timer that
 * follows another closely may be SLACK late. Arming and disarming take no memory, and a few steps
 * however many timers there are.
 *
 * Operation: time is cut into ticks. A wheel has levels of 64 slots; a slot of the lowest level is
 * a tick, and one of each further level as long as the whole level below. A timer lies in the
 * lowest level in which it is less than a round away from `base`, the tick up to which all is done.
 * When base enters a slot of a higher level, the timers of that are laid out anew, further down; so
 * each timer moves a few times at most. A level has a bit for each slot in use. The earliest time
 * in a slot is kept as a bound: a timer that was taken out may have been it, and then the thread
 * wakes once for nothing.
 *
 * Safety: `lock` protects the wheel and `running`. Removing a timer whose function runs waits for
 * `idle`, so that its owner may free it then; the thread does not look at a timer after it has
 * called its function. A timer that becomes the earliest signals `changed` under the lock, so the
 * thread either sees it or is woken by it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/thread.h"
#include "lib/internal.h"

#define TICK_BITS 17 /* 131 us */
#define SLOT_BITS 6
#define SLOTS     (1u << SLOT_BITS)
/* 47 bits of ticks are more than there are in an int64_t of nanoseconds. */
#define LEVELS 8
#define DUE    (LEVELS * SLOTS + 1) /* for timer->slot */
#define SLACK  (500 * RV_MICROSECOND)

struct slot {
    struct list timers; /* while its bit is set */
    rv_time earliest;   /* none is due before */
};

/* Held for some tens of nanoseconds: who finds it taken looks again before sleeping. */
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t changed; /* on the monotonic clock: made with the thread */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct slot slots[LEVELS][SLOTS];
static uint64_t in_use[LEVELS];    /* a bit for each slot */
static uint64_t base;              /* a tick; all before it is done */
static rv_time awaited = RV_NEVER; /* until when the thread sleeps, at most */
static struct list due_timers = {&due_timers, &due_timers};
static size_t count; /* in the wheel, and due */
static struct timer *running;
static pthread_t thread;
static bool started;

static uint64_t tick_of(rv_time time)
{
    return time > 0 ? (uint64_t)time >> TICK_BITS : 0;
}

/* The wheel --------------------------------------------------------------- */

/* Where a timer belongs that is due at this tick, or is overdue. */
static struct slot *slot_for(uint64_t tick, unsigned *ret_level, unsigned *ret_slot)
{
    uint64_t distance;

    tick = MAX(tick, base);
    distance = tick ^ base;
    /* The level of the highest digit in which they differ: below it they share a slot. */
    *ret_level = distance < SLOTS ? 0 : (unsigned)(63 - __builtin_clzll(distance)) / SLOT_BITS;
    *ret_slot = (unsigned)(tick >> (*ret_level * SLOT_BITS)) % SLOTS;
    return &slots[*ret_level][*ret_slot];
}

static void put(struct timer *timer)
{
    unsigned level, i;
    struct slot *slot = slot_for(tick_of(timer->due), &level, &i);

    if (!(in_use[level] & UINT64_C(1) << i)) {
        in_use[level] |= UINT64_C(1) << i;
        list_init(&slot->timers);
        slot->earliest = timer->due;
    }
    slot->earliest = MIN(slot->earliest, timer->due);
    list_append(&slot->timers, &timer->list);
    timer->slot = (uint16_t)(level * SLOTS + i + 1);
}

static void take(struct timer *timer)
{
    unsigned level = (timer->slot - 1u) / SLOTS, i = (timer->slot - 1u) % SLOTS;
    bool is_due = timer->slot == DUE;

    list_remove(&timer->list);
    timer->slot = 0;
    if (is_due)
        return;
    if (list_is_empty(&slots[level][i].timers))
        in_use[level] &= ~(UINT64_C(1) << i);
}

/* The first slot in use of a level, at or after the one that base is in; all are, as what shares
 * the higher digits with base is not behind it. Returns false when there is none. */
static bool first_slot(unsigned level, unsigned *ret_slot)
{
    if (in_use[level] == 0)
        return false;
    *ret_slot = (unsigned)__builtin_ctzll(in_use[level]);
    return true;
}

/* No timer is due before; RV_NEVER when there is none. The lowest level in use has it: timers of
 * higher levels are due after all of lower ones. */
static rv_time next_due(void)
{
    unsigned slot;

    if (!list_is_empty(&due_timers))
        return 0;
    for (unsigned level = 0; level < LEVELS; level++)
        if (first_slot(level, &slot))
            return slots[level][slot].earliest;
    return RV_NEVER;
}

/* Lays out anew, further down, the timers of a slot that base has come to. */
static void lay_out(unsigned level, unsigned i)
{
    struct list all;

    in_use[level] &= ~(UINT64_C(1) << i);
    list_init(&all);
    while (!list_is_empty(&slots[level][i].timers)) {
        struct list *node = slots[level][i].timers.next;

        list_remove(node);
        list_append(&all, node);
    }
    while (!list_is_empty(&all)) {
        struct timer *timer = list_entry(all.next, struct timer, list);

        list_remove(&timer->list);
        put(timer);
    }
}

/* Moves base to the first tick that has timers, or to `end` if that comes first. Returns the slot
 * of that tick, or NULL. */
static struct slot *advance(uint64_t end)
{
    uint64_t start;
    unsigned level, i;

    for (;;) {
        for (level = 0; level < LEVELS; level++)
            if (first_slot(level, &i))
                break;
        if (level == LEVELS)
            start = UINT64_MAX;
        else
            start = (base >> (level + 1) * SLOT_BITS << SLOT_BITS | i) << level * SLOT_BITS;
        if (start > end) {
            base = MAX(base, end);
            return NULL;
        }
        base = MAX(base, start);
        if (level == 0)
            return &slots[0][i];
        lay_out(level, i);
    }
}

/* Timers that are due go from the wheel to a list of its own, from which they can be taken like
 * from a slot. */
static void collect_due(rv_time now)
{
    struct slot *slot;

    while ((slot = advance(tick_of(now)))) {
        rv_time earliest = RV_NEVER;
        struct timer *timer, *next;

        LIST_FOREACH_SAFE (timer, next, &slot->timers, list) {
            if (timer->due > now) {
                earliest = MIN(earliest, timer->due);
                continue;
            }
            take(timer);
            list_append(&due_timers, &timer->list);
            timer->slot = DUE;
        }
        slot->earliest = earliest;
        /* Of the present tick some may be left. */
        if (!list_is_empty(&slot->timers))
            break;
    }
}

/* The thread -------------------------------------------------------------- */

static void run_first(void)
{
    struct timer *timer = list_entry(due_timers.next, struct timer, list);

    list_remove(&timer->list);
    timer->slot = 0;
    count--;
    running = timer;
    pthread_mutex_unlock(&lock);
    timer->fn(timer);
    pthread_mutex_lock(&lock);
    running = NULL;
    pthread_cond_broadcast(&idle);
}

/* Under the lock: runs what is due, what becomes due meanwhile included. Returns when it had. */
static rv_time run_all_due(rv_time ran_at)
{
    rv_time now = rv_now();

    collect_due(now);
    while (!list_is_empty(&due_timers)) {
        executor_gather();
        while (!list_is_empty(&due_timers))
            run_first();
        /* Now, for there may be no end of what is due. */
        pthread_mutex_unlock(&lock);
        executor_let_go();
        pthread_mutex_lock(&lock);
        ran_at = now;
        now = rv_now();
        collect_due(now);
    }
    return ran_at;
}

static void *run(void *arg)
{
    rv_time ran_at = 0;

    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        awaited = next_due();
        if (awaited == RV_NEVER) {
            pthread_cond_wait(&changed, &lock);
        } else {
            rv_time due = MAX(awaited, ran_at + SLACK);
            struct timespec until = {due / RV_SECOND, due % RV_SECOND};

            pthread_cond_timedwait(&changed, &lock, &until);
        }
        awaited = INT64_MIN; /* awake: nobody needs to tell it */
        if (rv_now() >= ran_at + SLACK)
            ran_at = run_all_due(ran_at);
    }
    return NULL;
}

/* Under the lock. The thread lives as long as the process: it costs nothing while it waits. */
static int start_thread(void)
{
    pthread_condattr_t condition;

    if (started)
        return runtime_is_forked() ? -EAGAIN : 0;
    pthread_condattr_init(&condition);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &condition);
    pthread_condattr_destroy(&condition);
    started = !runtime_is_forked() && thread_start(run, NULL, THREAD_STACK_SIZE, &thread) == 0;
    return started ? 0 : -EAGAIN;
}

int timer_prepare(void)
{
    int r;

    pthread_mutex_lock(&lock);
    r = start_thread();
    pthread_mutex_unlock(&lock);
    return r;
}

/* Under the lock: whether it was armed. */
static bool take_out(struct timer *timer)
{
    if (timer->slot == 0)
        return false;
    take(timer);
    count--;
    return true;
}

int timer_arm(struct timer *timer, rv_time due)
{
    int r;

    pthread_mutex_lock(&lock);
    r = start_thread();
    take_out(timer);
    if (r == 0) {
        timer->due = due;
        put(timer);
        count++;
        if (due < awaited)
            pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

static bool remove_and(struct timer *timer, bool wait)
{
    bool armed;

    pthread_mutex_lock(&lock);
    armed = take_out(timer);
    while (wait && running == timer && !pthread_equal(thread, pthread_self()) &&
           !runtime_is_forked())
        pthread_cond_wait(&idle, &lock);
    /* Its function may have armed it anew. */
    if (wait)
        take_out(timer);
    pthread_mutex_unlock(&lock);
    return armed;
}

bool timer_remove(struct timer *timer)
{
    return remove_and(timer, true);
}

bool timer_disarm(struct timer *timer)
{
    return remove_and(timer, false);
}

void timer_lock(void)
{
    pthread_mutex_lock(&lock);
}

void timer_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

bool timer_has_thread(void)
{
    return started;
}

size_t timer_count(void)
{
    size_t n;

    pthread_mutex_lock(&lock);
    n = count;
    pthread_mutex_unlock(&lock);
    return n;
}
