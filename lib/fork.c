/* SPDX-License-Identifier: MIT */
/*
 * A child of fork() that does not execute another program: it has a copy of the runtime's memory,
 * and none of its threads. A call that needs one fails there at once, instead of waiting for ever.
 * Where there were none yet the child loses nothing, and may use the runtime like its parent.
 *
 * The locks that the whole process shares, those of the background context included, are held over
 * the fork, so that the child does not find one taken by a thread that it has not got. Those of
 * single objects are not: the child must not use an object that other threads of its parent use.
 *
 * Descriptors through which threads wake each other would be shared, and one process would read
 * what was meant for the other. The child gives those of its parent up, and contexts get new ones
 * under the same numbers.
 */
#include <errno.h>
#include <pthread.h>

#include "lib/child_status.h"
#include "lib/executor.h"
#include "lib/internal.h"

bool runtime_forked;

int runtime_refuse_fork(void)
{
    return rv_fail(-ENOTSUP, "the runtime has no threads in a child of fork()");
}

/* In the lock order (internal.h). */
static void before_fork(void)
{
    contexts_lock();
    signals_lock();
    child_status_lock();
    timer_lock();
    pthread_mutex_lock(&executor_lock);
    parker_lock();
}

static void after_fork(void)
{
    parker_unlock();
    pthread_mutex_unlock(&executor_lock);
    timer_unlock();
    child_status_unlock();
    signals_unlock();
    contexts_unlock();
}

static void after_fork_in_child(void)
{
    bool had_watcher = signals_forked();

    if (executor_has_threads() || work_has_thread() || timer_has_thread() || had_watcher)
        runtime_forked = true;
    parkers_forked();
    hopes_forked();
    child_status_forked();
    contexts_forked();
    after_fork();
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}
