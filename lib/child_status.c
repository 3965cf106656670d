/* SPDX-License-Identifier: MIT */
/*
 * Exit statuses of children in a process that ignores SIGCHLD.
 *
 * Properties: from child_status_keep() to child_status_release() a child that ends stays until it
 * is waited for. After the last release SIGCHLD does what it did before the first keep.
 *
 * Operation: a process that ignores SIGCHLD, which it may have inherited, or that has set
 * SA_NOCLDWAIT has its children reaped by the kernel, and nobody learns how they ended. The first
 * to keep a status takes that away from the signal's action, and the last to release puts it back.
 *
 * Safety: `lock` protects all of it. A child of fork() starts anew, as its parent's threads that
 * keep are not in it. If the program sets an action of its own meanwhile, that one stays.
 */
#include "lib/child_status.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned keepers;
static bool changed;
static struct sigaction former;

static bool drops_status(const struct sigaction *action)
{
    return action->sa_flags & SA_NOCLDWAIT ||
           (!(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN);
}

/* Under the lock. */
static void take_away(void)
{
    struct sigaction action;

    if (sigaction(SIGCHLD, NULL, &action) < 0 || !drops_status(&action))
        return;
    former = action;
    changed = true;
    action.sa_flags &= ~SA_NOCLDWAIT;
    if (drops_status(&action))
        action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, NULL);
}

/* Under the lock. Whether the action is still the one that take_away() has set. */
static bool is_ours(const struct sigaction *action)
{
    if (drops_status(action) || (action->sa_flags & SA_SIGINFO) != (former.sa_flags & SA_SIGINFO))
        return false;
    if (action->sa_flags & SA_SIGINFO)
        return action->sa_sigaction == former.sa_sigaction;
    return action->sa_handler == (former.sa_handler == SIG_IGN ? SIG_DFL : former.sa_handler);
}

void child_status_keep(void)
{
    pthread_mutex_lock(&lock);
    keepers++;
    /* Again and again: the program may have set the action meanwhile. */
    take_away();
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static void put_back(void)
{
    struct sigaction action;

    if (!changed)
        return;
    changed = false;
    if (sigaction(SIGCHLD, NULL, &action) == 0 && is_ours(&action))
        sigaction(SIGCHLD, &former, NULL);
}

void child_status_release(void)
{
    pthread_mutex_lock(&lock);
    if (--keepers == 0)
        put_back();
    pthread_mutex_unlock(&lock);
}

void child_status_lock(void)
{
    pthread_mutex_lock(&lock);
}

void child_status_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void child_status_forked(void)
{
    keepers = 0;
    put_back();
}
