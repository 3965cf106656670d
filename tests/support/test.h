/* SPDX-License-Identifier: MIT */
/*
 * What tests of concurrent code share. cmocka's asserts work on the main thread only: other threads
 * store what they saw, and the main thread looks at it after joining them.
 */
#ifndef REEVE_TESTS_SUPPORT_TEST_H
#define REEVE_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A thread that makes one call which may block, and what came of it. */
struct caller {
    pthread_t thread;
    _Atomic int tid;
    int (*call)(void *arg);
    void *arg;
    int result;
};

static inline void *caller_run(void *arg)
{
    struct caller *caller = arg;

    atomic_store(&caller->tid, gettid());
    caller->result = caller->call(caller->arg);
    return NULL;
}

static inline void caller_start(struct caller *caller, int (*call)(void *arg), void *arg)
{
    *caller = (struct caller){.call = call, .arg = arg};
    assert_int_equal(pthread_create(&caller->thread, NULL, caller_run, caller), 0);
}

/* Waits until the kernel says that the thread sleeps: it is inside its call, and blocked. */
/* Under valgrind threads take turns, and one that waits for its turn sleeps too: the tests hold all the same, as a
 * call that has not blocked yet must do the same as one that has. */
static inline void caller_wait_blocked(const struct caller *caller)
{
    char path[64], state = 'R';

    while (atomic_load(&caller->tid) == 0)
        sched_yield();
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&caller->tid));
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        if (!file)
            return; /* it has ended already; the result will tell */
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 'R';
        fclose(file);
        sched_yield();
    }
}

static inline int caller_join(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
    return caller->result;
}

/* Waits, without a limit of its own (meson has one), until an atomic has the value. */
static inline void wait_value(_Atomic int *value, int wanted)
{
    while (atomic_load(value) != wanted)
        sched_yield();
}

#endif
