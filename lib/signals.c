/* SPDX-License-Identifier: MIT */
/*
 * Contexts that signals end.
 *
 * Properties: a signal ends every context that waits for it when it arrives, each once, with the
 * sender in the cause, and none that is made afterwards: who is woken by the first SIGTERM waits
 * for a second one. While one of them is not done the signal does nothing else, and when the last
 * one is done its former action is back.
 *
 * Operation: registrations are numbered. A handler writes signal, sender and the last number into a
 * pipe, which is all that a handler may do; a thread of our own, started with the first such
 * context, reads it and cancels. Where the pipe is full, the number is kept for each signal,
 * without a sender. When the last context that wants a signal is done, the signal's former action
 * is put back.
 *
 * Safety: `lock` protects the registrations and counts. A registration goes away in the hook of its
 * context, under that context's hook lock; the thread takes a reference to a context under `lock`
 * and cancels without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/signal_name.h"
#include "base/thread.h"
#include "lib/internal.h"

struct registration {
    struct list list;
    struct context_hook hook;
    struct rv_context *ctx; /* no reference: the hook ends it first */
    sigset_t signals;
    unsigned long number;
    bool fired;
};

/* Without padding, which the pipe would get unset. */
struct arrival {
    unsigned long until; /* the last registration that it can concern */
    long signal;
    pid_t pid;
    uid_t uid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list registrations = {&registrations, &registrations};
static _Atomic unsigned long last_number;  /* as wide as handlers can read; it may wrap around */
static _Atomic unsigned long missed[NSIG]; /* `until` of arrivals for which the pipe had no room */
static unsigned wanted[NSIG];
static struct sigaction former[NSIG];
static int pipe_ends[2] = {-1, -1};
static pid_t owner; /* whose the pipe is */

/* Numbers may wrap around. */
static bool is_up_to(unsigned long number, unsigned long until)
{
    return (long)(until - number) >= 0;
}

static void note_missed(int signal, unsigned long until)
{
    unsigned long noted = atomic_load(&missed[signal]);

    /* Other threads may be at the same. */
    while ((noted == 0 || is_up_to(noted, until)) &&
           !atomic_compare_exchange_weak(&missed[signal], &noted, until))
        ;
}

static void signal_came(int signal, siginfo_t *info, void *context)
{
    struct arrival arrival = {atomic_load(&last_number), signal, info->si_pid, info->si_uid};
    int saved = errno;

    (void)context;
    /* A child of fork() has the pipe, too: what it gets is nothing to its parent. */
    if (getpid() != owner)
        return;
    if (write(pipe_ends[1], &arrival, sizeof(arrival)) < 0) {
        note_missed(signal, arrival.until);
        /* Unless it is full even now, its reader may not have seen that. */
        (void)!write(pipe_ends[1], &arrival, sizeof(arrival));
    }
    errno = saved;
}

/* The next context that the arrival ends, with a reference; each once. */
static struct rv_context *next_context(const struct arrival *arrival)
{
    struct rv_context *ctx = NULL;
    struct registration *registration;

    pthread_mutex_lock(&lock);
    LIST_FOREACH (registration, &registrations, list)
        if (!registration->fired && is_up_to(registration->number, arrival->until) &&
            sigismember(&registration->signals, (int)arrival->signal) == 1) {
            registration->fired = true;
            if (context_try_ref(registration->ctx)) {
                ctx = registration->ctx;
                break;
            }
        }
    pthread_mutex_unlock(&lock);
    return ctx;
}

static void end_contexts(const struct arrival *arrival, const char *sender)
{
    struct rv_context *ctx;

    while ((ctx = next_context(arrival))) {
        rv_context_cancel(cancel_of(ctx), -ECANCELED, "%s from %s",
                          signal_name((int)arrival->signal), sender);
        rv_context_unref(ctx);
    }
}

static void *watch(void *arg)
{
    struct arrival arrival;
    char sender[64];

    (void)arg;
    for (;;) {
        if (read(pipe_ends[0], &arrival, sizeof(arrival)) != (ssize_t)sizeof(arrival))
            continue;
        snprintf(sender, sizeof(sender), "pid %d uid %u", (int)arrival.pid, (unsigned)arrival.uid);
        end_contexts(&arrival, sender);
        for (int signal = 1; signal < NSIG; signal++) {
            arrival = (struct arrival){atomic_exchange(&missed[signal], 0), signal, 0, 0};
            if (arrival.until != 0)
                end_contexts(&arrival, "one of many senders");
        }
    }
    return NULL;
}

/* Under the lock. */
static int start_watcher(void)
{
    int r;

    if (pipe_ends[0] >= 0)
        return 0;
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -errno;
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
    owner = getpid();
    r = thread_start(watch, NULL, THREAD_STACK_SIZE, NULL);
    if (r < 0) {
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        pipe_ends[0] = pipe_ends[1] = -1;
    }
    return r;
}

/* Under the lock. */
static void release_signals(const sigset_t *signals)
{
    for (int signal = 1; signal < NSIG; signal++)
        if (sigismember(signals, signal) == 1 && --wanted[signal] == 0)
            sigaction(signal, &former[signal], NULL);
}

void signals_lock(void)
{
    pthread_mutex_lock(&lock);
}

void signals_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

bool signals_forked(void)
{
    struct registration *registration;

    /* Once and for all: what the child sets afterwards stays, whenever these contexts end. */
    LIST_FOREACH (registration, &registrations, list) {
        release_signals(&registration->signals);
        sigemptyset(&registration->signals);
    }
    if (pipe_ends[0] < 0)
        return false;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    pipe_ends[0] = pipe_ends[1] = -1;
    return true;
}

/* Under the lock. */
static int take_signals(const int *list, sigset_t *ret_taken)
{
    struct sigaction action = {.sa_sigaction = signal_came, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigfillset(&action.sa_mask);
    sigemptyset(ret_taken);
    for (; *list != 0; list++) {
        if (*list < 1 || *list >= NSIG) {
            release_signals(ret_taken);
            return -EINVAL;
        }
        if (sigismember(ret_taken, *list) == 1)
            continue;
        if (wanted[*list] == 0 && sigaction(*list, &action, &former[*list]) < 0) {
            release_signals(ret_taken);
            return -EINVAL;
        }
        wanted[*list]++;
        sigaddset(ret_taken, *list);
    }
    return 0;
}

static void context_done(struct context_hook *hook)
{
    struct registration *registration = container_of(hook, struct registration, hook);

    pthread_mutex_lock(&lock);
    list_remove(&registration->list);
    release_signals(&registration->signals);
    pthread_mutex_unlock(&lock);
    free(registration);
}

int rv_context_with_signals(struct rv_context *parent, const int *signals,
                            struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    struct registration *registration = calloc(1, sizeof(*registration));
    struct rv_context *ctx;
    int r;

    if (!registration)
        return error_bare(-ENOMEM);
    if (runtime_is_forked()) {
        free(registration);
        return runtime_refuse_fork();
    }
    r = rv_context_with_cancel(parent, &ctx, NULL);
    if (r < 0) {
        free(registration);
        return r;
    }
    list_init(&registration->list);
    list_init(&registration->hook.list);
    registration->hook.fn = context_done;
    registration->ctx = ctx;
    pthread_mutex_lock(&lock);
    r = start_watcher();
    /* Before its signals can arrive. */
    registration->number = atomic_fetch_add(&last_number, 1) + 1;
    if (r == 0)
        r = take_signals(signals, &registration->signals);
    if (r == 0)
        list_append(&registrations, &registration->list);
    pthread_mutex_unlock(&lock);
    if (r < 0) {
        rv_context_unref(ctx);
        free(registration);
        return error_bare(r);
    }
    if (context_hook_add(ctx, &registration->hook) != 0)
        context_done(&registration->hook);
    give_cancel(ctx, ret_cancel);
    *ret_ctx = ctx;
    return 0;
}
