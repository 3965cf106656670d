/* SPDX-License-Identifier: MIT */
#include "daemon/host/run_signals.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/context.h>
#include <signal.h>
#include <stdio.h>

#include "base/signal_name.h"

/* Of two that are meant as one. */
#define AT_ONCE RV_SECOND

static sigset_t signals;

static void end_at_once(int signal)
{
    fprintf(stderr, "reeve-host: a second %s: ends at once\n", signal_name(signal));
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    raise(signal);
}

static void *watch(void *arg)
{
    struct rv_context *ctx = arg;
    rv_duration first = 0;
    siginfo_t info;

    for (;;) {
        int signal = sigwaitinfo(&signals, &info);

        if (signal < 0)
            continue;
        if (first == 0) {
            first = rv_now();
            rv_context_cancel(ctx, -ECANCELED, "%s from pid %d uid %u", signal_name(signal),
                              (int)info.si_pid, (unsigned)info.si_uid);
        } else if (rv_now() - first >= AT_ONCE) {
            end_at_once(signal);
        }
    }
    return NULL;
}

int run_signals_watch(struct rv_context *ctx)
{
    pthread_t thread;
    int r;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    r = pthread_create(&thread, NULL, watch, ctx);
    if (r == 0)
        pthread_detach(thread);
    return -r;
}
