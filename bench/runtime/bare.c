/* SPDX-License-Identifier: MIT */
/* The floor: futexes, atomic loads, a plain loop. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/runtime/program.h"

static void futex_wait(_Atomic int *word, int value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic int *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static uint64_t rounds_per_us;

/* Threads do all the work inline, and each has its part of the jobs from the start. */
struct part {
    pthread_t thread;
    uint64_t first, end, rounds, sum;
};

static void *burn_part(void *arg)
{
    struct part *part = arg;

    for (uint64_t i = part->first; i < part->end; i++)
        part->sum += burn(i, part->rounds) & 1;
    return NULL;
}

/* capacity: steps of burn() a job. */
static uint64_t bare_busy(const struct size *size)
{
    struct part *parts = calloc(size->workers, sizeof(*parts));
    uint64_t sum = 0;

    begin();
    for (uint64_t i = 0; i < size->workers; i++) {
        parts[i] = (struct part){.first = size->count * i / size->workers,
                                 .end = size->count * (i + 1) / size->workers,
                                 .rounds = size->capacity};
        if (pthread_create(&parts[i].thread, NULL, burn_part, &parts[i]) != 0)
            exit(1);
    }
    for (uint64_t i = 0; i < size->workers; i++) {
        pthread_join(parts[i].thread, NULL);
        sum += parts[i].sum;
    }
    end();
    free(parts);
    return sum;
}

static uint64_t bare_calibrate(const struct size *size)
{
    (void)size;
    begin();
    rounds_per_us = burn_per_microsecond();
    end();
    return rounds_per_us;
}

/* Two words, two threads. */
static _Atomic int ball; /* whose turn: 0 the first thread's, 1 the second's, 2 the end */

static void *return_ball(void *arg)
{
    (void)arg;
    for (;;) {
        int now;

        while ((now = atomic_load(&ball)) == 0)
            futex_wait(&ball, 0);
        if (now == 2)
            return NULL;
        atomic_store(&ball, 0);
        futex_wake(&ball, 1);
    }
}

static uint64_t bare_ping_pong(const struct size *size)
{
    pthread_t other;
    uint64_t sum = 0;

    check(-pthread_create(&other, NULL, return_ball, NULL), "pthread_create");
    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        atomic_store(&ball, 1);
        futex_wake(&ball, 1);
        while (atomic_load(&ball) == 1)
            futex_wait(&ball, 1);
        sum += i;
    }
    end();
    atomic_store(&ball, 2);
    futex_wake(&ball, 1);
    pthread_join(other, NULL);
    return sum;
}

static _Atomic unsigned waiting, woken;
static _Atomic int gate, all_woken;
static unsigned crowd;

static void *wait_at_gate(void *arg)
{
    (void)arg;
    atomic_fetch_add(&waiting, 1);
    while (atomic_load(&gate) == 0)
        futex_wait(&gate, 0);
    if (atomic_fetch_add(&woken, 1) + 1 == crowd) {
        atomic_store(&all_woken, 1);
        futex_wake(&all_woken, 1);
    }
    return NULL;
}

static uint64_t bare_waiters(const struct size *size)
{
    pthread_t *threads = calloc(size->workers, sizeof(*threads));
    pthread_attr_t small;

    crowd = size->workers;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)64 * 1024);
    for (unsigned i = 0; i < crowd; i++)
        check(-pthread_create(&threads[i], &small, wait_at_gate, NULL), "pthread_create");
    while (atomic_load(&waiting) < crowd)
        usleep(1000);
    usleep(50000); /* the last ones are on their way to sleep */
    begin();
    atomic_store(&gate, 1);
    futex_wake(&gate, (int)crowd);
    while (atomic_load(&all_woken) == 0)
        futex_wait(&all_woken, 0);
    end();
    for (unsigned i = 0; i < crowd; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return atomic_load(&woken);
}

/* One function for a thread that sleeps in futex(2), again and again. */
static _Atomic int offer;
static _Atomic uint64_t started_at;

static void *take_offers(void *arg)
{
    (void)arg;
    for (;;) {
        int now;

        while ((now = atomic_load(&offer)) == 0)
            futex_wait(&offer, 0);
        if (now == 2)
            return NULL;
        atomic_store(&offer, 0);
        atomic_store(&started_at, now_ns());
    }
}

static uint64_t bare_latency(const struct size *size)
{
    struct histogram *histogram = calloc(1, sizeof(*histogram));
    pthread_t other;

    check(-pthread_create(&other, NULL, take_offers, NULL), "pthread_create");
    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        uint64_t before;

        usleep(200);
        atomic_store(&started_at, 0);
        before = now_ns();
        atomic_store(&offer, 1);
        futex_wake(&offer, 1);
        while (atomic_load(&started_at) == 0)
            usleep(20);
        histogram_add(histogram, atomic_load(&started_at) - before);
    }
    end();
    report("p50", (double)histogram_percentile(histogram, 0.5) / 1e9);
    report("p99", (double)histogram_percentile(histogram, 0.99) / 1e9);
    atomic_store(&offer, 2);
    futex_wake(&offer, 1);
    pthread_join(other, NULL);
    free(histogram);
    return size->count;
}

static uint64_t bare_load(const struct size *size)
{
    static _Atomic int word;
    uint64_t live = 0;

    begin();
    for (uint64_t i = 0; i < size->count; i++)
        live += atomic_load_explicit(&word, memory_order_acquire) == 0;
    end();
    return live;
}

const struct work works[] = {
    {"busy", bare_busy},           {"calibrate", bare_calibrate},
    {"ping-pong", bare_ping_pong}, {"waiters", bare_waiters},
    {"latency", bare_latency},     {"check", bare_load},
    {"once", bare_load},           {NULL, NULL},
};
