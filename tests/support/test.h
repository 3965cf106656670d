/* SPDX-License-Identifier: MIT */
/*
 * Helpers that tests of concurrent code share. cmocka's asserts work on the main thread only: other
 * threads store what they saw, and the main thread looks at it after joining them.
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
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

/* Whether a thread is inside a call that waits for others: futex(2) as parking and conditions use
 * it, or a poll. Waiting for a mutex, or under valgrind for one's turn, does not count. */
static inline bool thread_is_blocked(int tid)
{
    unsigned long operation = 0;
    char path[64];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
    file = fopen(path, "re");
    if (!file)
        return true; /* it has ended already; the result will tell */
    if (fscanf(file, "%ld 0x%*x 0x%lx", &number, &operation) < 1)
        number = -1; /* "running" */
    fclose(file);
    if (number == SYS_futex)
        return (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
#ifdef SYS_poll
    if (number == SYS_poll)
        return true;
#endif
    return number == SYS_ppoll;
}

static inline void caller_wait_blocked(const struct caller *caller)
{
    while (atomic_load(&caller->tid) == 0 || !thread_is_blocked(atomic_load(&caller->tid)))
        sched_yield();
}

static inline int caller_join(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
    return caller->result;
}

/* How often a test repeats what may go wrong now and then: fewer times below valgrind, at least
 * once. */
static inline int rounds_of(int usual)
{
    const char *divisor = getenv("REEVE_TEST_DIVISOR");
    int rounds = divisor && atoi(divisor) > 0 ? usual / atoi(divisor) : usual;

    return rounds > 0 ? rounds : 1;
}

/* Waits, without a limit of its own (meson has one), until an atomic has the value. */
static inline void wait_value(_Atomic int *value, int wanted)
{
    while (atomic_load(value) != wanted)
        sched_yield();
}

#endif
