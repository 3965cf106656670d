/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/loop/loop.h"

struct loop_signals {
    int fd;
    struct loop_io *io;
    loop_signal_fn fn;
    void *arg;
};

static void signals_ready(int fd, unsigned events _unused_, void *arg)
{
    struct loop_signals *signals = arg;
    struct signalfd_siginfo info;
    struct loop_sender sender;

    /* One a turn: the callback may end the loop, or this very source. */
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    sender = (struct loop_sender){(pid_t)info.ssi_pid, info.ssi_uid, info.ssi_code};
    signals->fn((int)info.ssi_signo, &sender, signals->arg);
}

int loop_signals_create(struct loop *loop, const int *list, loop_signal_fn fn, void *arg,
                        struct loop_signals **ret_signals)
{
    struct loop_signals *signals = calloc(1, sizeof(*signals));
    sigset_t set;
    int r;

    if (!signals)
        return -ENOMEM;
    sigemptyset(&set);
    for (; *list != 0; list++)
        sigaddset(&set, *list);
    *signals = (struct loop_signals){.fn = fn, .arg = arg};
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
        r = -errno;
        free(signals);
        return r;
    }
    r = loop_io_create(loop, signals->fd, LOOP_READ, signals_ready, signals, &signals->io);
    if (r < 0) {
        close(signals->fd);
        free(signals);
        return r;
    }
    *ret_signals = signals;
    return 0;
}

void loop_signals_destroy(struct loop_signals *signals)
{
    if (!signals)
        return;
    loop_io_destroy(signals->io);
    close(signals->fd);
    free(signals);
}
