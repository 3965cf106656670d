/* SPDX-License-Identifier: MIT */
/* Shared by executor.c (threads) and work.c (their queues). All under executor_lock. */
#ifndef REEVE_LIB_EXECUTOR_H
#define REEVE_LIB_EXECUTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

extern pthread_mutex_t executor_lock;

/* executor.c */

/* As executor_start(); it may give the lock up to wait for a thread that retires. */
int executor_start_locked(void (*fn)(void *arg), void *arg);
/* Whether every thread that there may be has something to do, or is promised to somebody. */
bool executor_is_exhausted(void);
/* Whether a thread that is free now was promised to somebody: as there are no others, or it counted
 * as free already when it retired. */
bool executor_is_wanted(void);
/* A function of the calling thread's has returned: it no longer retires. */
void executor_settle(void);
/* As executor_retire(), on a thread of the runtime. */
void executor_retire_locked(void);
size_t executor_stack_size(void);
bool executor_has_threads(void);

/* work.c */

/* Threads that come for queued work, all of which others have taken. */
unsigned work_coming_for_nothing(void);
/* Whether there is an ender. */
bool work_has_thread(void);
/* Runs queued work until there is none; gives the lock up meanwhile. */
void work_run_all(void);
/* There may be threads for queued work again. Returns whether to call work_watch(), without the
 * lock. */
bool work_find_threads(void);
void work_watch(void);

#endif
