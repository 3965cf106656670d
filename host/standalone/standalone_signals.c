/* SPDX-License-Identifier: MIT */
/*
 * A handler, and not sigwait(3): signals that are blocked would be so in each program that the
 * module starts. It passes what came through a pipe to the main thread, which only waits for that:
 * the kernel gives it the process's signals, and a handler under ThreadSanitizer runs when a call
 * that it knows has returned. So that call is not restarted.
 */
#include "host/standalone/standalone_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <reeve/context.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/signal_name.h"
#include "host/process/forked.h"

static const int signals[] = {SIGINT, SIGTERM};

struct arrival {
    int signal;
    pid_t pid;
    uid_t uid;
};
static int pipe_ends[2] = {-1, -1};

static void signal_came(int signal, siginfo_t *info, void *context _unused_)
{
    struct arrival arrival = {signal, info->si_pid, info->si_uid};
    int saved = errno;

    if (forked_is())
        _exit(128 + signal);
    (void)!write(pipe_ends[1], &arrival, sizeof(arrival));
    errno = saved;
}

static void end_at_once(int signal)
{
    fprintf(stderr, "reeve-host: %s, the second signal: ends at once\n", signal_name(signal));
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    raise(signal);
}

int standalone_signals_begin(void)
{
    struct sigaction action = {.sa_sigaction = signal_came, .sa_flags = SA_SIGINFO};

    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -errno;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
    return 0;
}

void standalone_signals_watch(struct rv_cancel *cancel)
{
    struct arrival arrival;
    rv_time first = 0;
    int signal = 0;

    for (;;) {
        if (read(pipe_ends[0], &arrival, sizeof(arrival)) != (ssize_t)sizeof(arrival))
            continue;
        if (first == 0) {
            first = rv_now();
            signal = arrival.signal;
            rv_context_cancel(cancel, -ECANCELED, "%s from pid %d uid %u",
                              signal_name(arrival.signal), (int)arrival.pid, (unsigned)arrival.uid);
        } else if (arrival.signal != signal || rv_now() - first >= SIGNAL_REPEAT) {
            end_at_once(arrival.signal);
        }
    }
}
