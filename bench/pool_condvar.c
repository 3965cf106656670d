/* SPDX-License-Identifier: MIT */
/* Empty jobs through what one writes by hand: a ring, a mutex, two condition variables. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/program.h"

#define QUEUE       1024
#define WORKERS_MAX 256

static struct {
    pthread_mutex_t lock;
    pthread_cond_t room, work;
    void (*jobs[QUEUE])(void);
    unsigned head, used;
    bool closed;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .room = PTHREAD_COND_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
};
static _Atomic uint64_t done;

static void job(void)
{
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
}

static void *run(void *arg)
{
    void (*next)(void);

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
        pool.head = (pool.head + 1) % QUEUE;
        pool.used--;
        pthread_cond_signal(&pool.room);
        pthread_mutex_unlock(&pool.lock);
        next();
    }
}

static void submit(void (*fn)(void))
{
    pthread_mutex_lock(&pool.lock);
    while (pool.used == QUEUE)
        pthread_cond_wait(&pool.room, &pool.lock);
    pool.jobs[(pool.head + pool.used++) % QUEUE] = fn;
    pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

int main(int argc, char **argv)
{
    pthread_t threads[WORKERS_MAX];
    struct program program;

    program_start(&program, argc, argv);
    if (program.workers > WORKERS_MAX)
        return 1;
    for (unsigned i = 0; i < program.workers; i++)
        if (pthread_create(&threads[i], NULL, run, NULL) != 0)
            return 1;
    for (uint64_t i = 0; i < program.count; i++)
        submit(job);
    pthread_mutex_lock(&pool.lock);
    pool.closed = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < program.workers; i++)
        pthread_join(threads[i], NULL);
    program_finish(&program, atomic_load(&done));
    return 0;
}
