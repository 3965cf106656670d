/* SPDX-License-Identifier: MIT */
/*
 * A timer of the real-time clock that never expires, set so that a change of the clock cancels it
 * (TFD_TIMER_CANCEL_ON_SET, timerfd_create(2)): its read() then fails with ECANCELED.
 *
 * Safety: the lock protects the list, and is held during calls, so that who forgets a watch knows
 * that it is not being called.
 */
#include "daemon/host/wall_clock.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/log.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"

struct wall_clock {
    struct list list;
    void (*fn)(void *arg);
    void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list watches = {&watches, &watches};
static bool started;

/* As far in the future as the kernel takes it. ECANCELED is no failure: the clock was set since the last
 * read, or since the timer was made; it is armed all the same (timerfd_setup() of the kernel starts the timer
 * before it looks), and that change has been told by this. Returns 1 then. */
static int arm(int fd)
{
    struct itimerspec never = {.it_value.tv_sec = INT64_MAX / 1000000000};

    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0)
        return 0;
    return errno == ECANCELED ? 1 : -errno;
}

static void tell_all(void)
{
    struct wall_clock *watch;

    pthread_mutex_lock(&lock);
    LIST_FOREACH (watch, &watches, list)
        watch->fn(watch->arg);
    pthread_mutex_unlock(&lock);
}

static void *wait_for_changes(void *arg)
{
    int fd = (int)(intptr_t)arg;
    uint64_t expirations;

    for (;;) {
        ssize_t size = read(fd, &expirations, sizeof(expirations));

        /* Armed again before the schedules look at the clock, so that no change falls between. */
        if (size < 0 && errno == ECANCELED) {
            while (arm(fd) == 1)
                ;
            tell_all();
        } else if (size != sizeof(expirations) && !(size < 0 && errno == EINTR)) {
            /* A module has closed it, and perhaps something else has its number now. */
            rv_log(
                NULL, RV_LOG_ERROR,
                "the time of day is not watched any more: schedules that go by it keep to the clock as "
                "it is now: %s",
                size < 0 ? strerror(errno) : "the descriptor is another's");
            return NULL;
        }
    }
}

/* Under the lock. The thread lives as long as the process. */
static int start_thread(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    sigset_t all, before;
    pthread_t thread;
    int r;

    if (fd < 0 || arm(fd) < 0) {
        if (fd >= 0)
            close(fd);
        return -EAGAIN;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread, NULL, wait_for_changes, (void *)(intptr_t)fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        close(fd);
        return -EAGAIN;
    }
    pthread_detach(thread);
    return 0;
}

int wall_clock_watch(void (*fn)(void *arg), void *arg, struct wall_clock **ret_watch)
{
    struct wall_clock *watch = malloc(sizeof(*watch));
    int r = 0;

    if (!watch)
        return -ENOMEM;
    *watch = (struct wall_clock){.fn = fn, .arg = arg};
    pthread_mutex_lock(&lock);
    if (!started)
        r = start_thread();
    started = r == 0;
    if (r == 0)
        list_append(&watches, &watch->list);
    pthread_mutex_unlock(&lock);
    if (r < 0) {
        free(watch);
        return r;
    }
    *ret_watch = watch;
    return 0;
}

void wall_clock_forget(struct wall_clock *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&lock);
    list_remove(&watch->list);
    pthread_mutex_unlock(&lock);
    free(watch);
}
