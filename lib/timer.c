/* SPDX-License-Identifier: MIT */
/*
 * One heap of timers and one thread for all deadlines and periodic functions.
 *
 * Properties: the thread sleeps until the earliest timer is due, and for ever when there is none.
 * Where timers are dense, it sleeps for at least SLACK after it has run some, and runs what has
 * become due meanwhile at once: to wake for each costs more than most are worth. So a timer that
 * follows another closely may be SLACK late. Arming and disarming are O(log n).
 *
 * Operation: a heap with four children a node, which has half the levels of a binary one; each
 * timer knows its place. The thread takes a due timer out, and calls its function without the lock.
 *
 * Safety: `lock` protects the heap and `running`. Removing a timer whose function runs waits for
 * `idle`, so that its owner may free it then; the thread does not look at a timer after it has
 * called its function. A timer that becomes the earliest signals `changed` under the lock, so the
 * thread either sees it or is woken by it. A timer that keeps its place has it counted in `places`
 * whether it is armed or not, so no other can take it meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "lib/internal.h"
#include "lib/thread.h"

#define ARITY 4
#define FIRST 64
#define SLACK (200 * RV_MICROSECOND)

/* Held for some tens of nanoseconds: who finds it taken looks again before sleeping. */
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t changed; /* on the monotonic clock: made with the thread */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct timer *first_heap[FIRST]; /* there without memory */
static struct timer **heap = first_heap;
static size_t count, capacity = FIRST;
static size_t places =
    1; /* taken or kept; one is the executor's, whose timer is there from the beginning */
static struct timer *running;
static pthread_t thread;
static bool started;

static void place(size_t i, struct timer *timer)
{
    heap[i] = timer;
    timer->index = (unsigned)i + 1;
}

static void sift_up(size_t i, struct timer *timer)
{
    while (i > 0 && heap[(i - 1) / ARITY]->due > timer->due) {
        place(i, heap[(i - 1) / ARITY]);
        i = (i - 1) / ARITY;
    }
    place(i, timer);
}

static void sift_down(size_t i, struct timer *timer)
{
    for (;;) {
        size_t first = i * ARITY + 1, least = first;

        if (first >= count)
            break;
        for (size_t j = first + 1; j < MIN(first + ARITY, count); j++)
            if (heap[j]->due < heap[least]->due)
                least = j;
        if (heap[least]->due >= timer->due)
            break;
        place(i, heap[least]);
        i = least;
    }
    place(i, timer);
}

static void take_out(struct timer *timer)
{
    size_t i = timer->index - 1;
    struct timer *last = heap[--count];

    timer->index = 0;
    if (!timer->keeps_place)
        places--;
    if (last == timer)
        return;
    if (i > 0 && heap[(i - 1) / ARITY]->due > last->due)
        sift_up(i, last);
    else
        sift_down(i, last);
}

static void run_due(void)
{
    struct timer *timer = heap[0];

    take_out(timer);
    running = timer;
    pthread_mutex_unlock(&lock);
    timer->fn(timer);
    pthread_mutex_lock(&lock);
    running = NULL;
    pthread_cond_broadcast(&idle);
}

/* Under the lock: runs what is due, what becomes due meanwhile included. Returns when it had. */
static rv_duration run_all_due(rv_duration ran_at)
{
    rv_duration now = rv_now();

    if (count == 0 || heap[0]->due > now)
        return ran_at;
    executor_gather();
    while (count > 0 && heap[0]->due <= now) {
        run_due();
        ran_at = now;
        now = rv_now();
    }
    pthread_mutex_unlock(&lock);
    executor_let_go();
    pthread_mutex_lock(&lock);
    return ran_at;
}

static void *run(void *arg)
{
    rv_duration ran_at = 0;

    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        if (count == 0) {
            pthread_cond_wait(&changed, &lock);
        } else {
            rv_duration due = MAX(heap[0]->due, ran_at + SLACK);
            struct timespec until = {due / RV_SECOND, due % RV_SECOND};

            pthread_cond_timedwait(&changed, &lock, &until);
        }
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
    started = !runtime_is_forked() && thread_start(run, NULL, 0, &thread) == 0;
    return started ? 0 : -EAGAIN;
}

/* Under the lock. */
static int take_place(void)
{
    bool is_first = heap == first_heap;
    struct timer **grown;

    if (places == capacity) {
        grown = reallocarray(is_first ? NULL : heap, capacity * 2, sizeof(struct timer *));
        if (!grown)
            return -ENOMEM;
        if (is_first)
            memcpy(grown, first_heap, sizeof(first_heap));
        heap = grown;
        capacity *= 2;
    }
    places++;
    return 0;
}

int timer_arm(struct timer *timer, rv_duration due)
{
    int r;

    pthread_mutex_lock(&lock);
    if (timer->index > 0)
        take_out(timer);
    r = start_thread();
    if (r == 0 && !timer->keeps_place)
        r = take_place();
    if (r == 0) {
        timer->due = due;
        sift_up(count++, timer);
        if (timer->index == 1)
            pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int timer_keep_place(struct timer *timer)
{
    int r;

    pthread_mutex_lock(&lock);
    r = start_thread();
    if (r == 0)
        r = take_place();
    timer->keeps_place = r == 0;
    pthread_mutex_unlock(&lock);
    return r;
}

void timer_give_place(struct timer *timer)
{
    pthread_mutex_lock(&lock);
    if (timer->keeps_place)
        places--;
    timer->keeps_place = false;
    pthread_mutex_unlock(&lock);
}

static bool remove_and(struct timer *timer, bool wait)
{
    bool armed;

    pthread_mutex_lock(&lock);
    armed = timer->index > 0;
    if (armed)
        take_out(timer);
    while (wait && running == timer && !pthread_equal(thread, pthread_self()) &&
           !runtime_is_forked())
        pthread_cond_wait(&idle, &lock);
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
