/* SPDX-License-Identifier: MIT */
/* The pool that one writes by hand: a ring, a mutex, two condition variables. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bench/runtime/program.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t room, work;
    struct job {
        void (*run)(uint64_t arg);
        uint64_t arg;
    } *jobs;
    size_t head, used, size;
    bool closed;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .room = PTHREAD_COND_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
};
static _Atomic uint64_t done;

static void add(uint64_t arg)
{
    atomic_fetch_add_explicit(&done, arg, memory_order_relaxed);
}

static void *run(void *arg)
{
    struct job next;

    (void)arg;
    for (;;) {
        pthread_mutex_lock(&pool.lock);
        while (pool.used == 0 && !pool.closed)
            pthread_cond_wait(&pool.work, &pool.lock);
        if (pool.used == 0) {
            pthread_mutex_unlock(&pool.lock);
            return NULL;
        }
        next = pool.jobs[pool.head];
        pool.head = (pool.head + 1) % pool.size;
        pool.used--;
        pthread_cond_signal(&pool.room);
        pthread_mutex_unlock(&pool.lock);
        next.run(next.arg);
    }
}

static void submit(void (*fn)(uint64_t arg), uint64_t arg)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.used == pool.size)
        pthread_cond_wait(&pool.room, &pool.lock);
    pool.jobs[(pool.head + pool.used++) % pool.size] = (struct job){fn, arg};
    pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

static uint64_t condvar_pool(const struct size *size)
{
    pthread_t *threads = calloc(size->workers, sizeof(*threads));

    pool.size = size->capacity;
    pool.jobs = calloc(pool.size, sizeof(*pool.jobs));
    for (unsigned i = 0; i < size->workers; i++)
        check(-pthread_create(&threads[i], NULL, run, NULL), "pthread_create");
    begin();
    for (uint64_t i = 0; i < size->count; i++)
        submit(add, i);
    pthread_mutex_lock(&pool.lock);
    pool.closed = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < size->workers; i++)
        pthread_join(threads[i], NULL);
    end();
    free(threads);
    free(pool.jobs);
    return atomic_load(&done);
}

const struct work works[] = {{"pool", condvar_pool}, {NULL, NULL}};
