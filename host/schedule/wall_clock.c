/* SPDX-License-Identifier: MIT */
/*
 * A timer of the real-time clock that never expires, set so that a change of the clock cancels it
 * (TFD_TIMER_CANCEL_ON_SET, timerfd_create(2)): its read() then fails with ECANCELED. Beside it the
 * thread waits for a minute to be over, or for a poke.
 *
 * Safety: the lock protects the list, and is held during calls, so that who forgets a watch knows
 * that it is not being called.
 */
#include "host/schedule/wall_clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <reeve/log.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"
#include "base/thread.h"
#include "host/report/log_sink.h"

#define LOOK_INTERVAL_MS (60 * 1000)

struct wall_clock {
    struct list list;
    void (*fn)(bool was_set, void *arg);
    void *arg;
    bool is_new; /* the clock may have been set between its caller's look at it and the watch */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list watches = {&watches, &watches};
static bool started;
static int timer = -1, poke = -1; /* never closed once the thread is there */

/* As far in the future as the kernel takes it. ECANCELED is no failure: the clock was set since the
 * last read, or since the timer was made; it is armed all the same (timerfd_setup() of the kernel
 * starts the timer before it looks), and that change has been told by this. Returns 1 then. */
static int arm(int fd)
{
    struct itimerspec never = {.it_value.tv_sec = INT64_MAX / 1000000000};

    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0)
        return 0;
    return errno == ECANCELED ? 1 : -errno;
}

static void tell_all(bool was_set)
{
    struct wall_clock *watch;

    pthread_mutex_lock(&lock);
    LIST_FOREACH (watch, &watches, list) {
        watch->fn(was_set || watch->is_new, watch->arg);
        watch->is_new = false;
    }
    pthread_mutex_unlock(&lock);
}

/* Returns 1 when the clock was set, 0 when it was not, or a negative errno when the timer is not
 * ours. */
static int read_timer(void)
{
    uint64_t expirations;
    ssize_t size = read(timer, &expirations, sizeof(expirations));

    if (size == sizeof(expirations) || (size < 0 && errno == EINTR))
        return 0;
    if (size >= 0 || errno != ECANCELED)
        return size < 0 ? -errno : -EBADF;
    /* Armed again before the schedules look at the clock, so that no change falls between. */
    while (arm(timer) == 1)
        ;
    return 1;
}

static void *wait_for_changes(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd fds[] = {{.fd = timer, .events = POLLIN}, {.fd = poke, .events = POLLIN}};
        uint64_t pokes;
        int was_set = 0;

        if (poll(fds, 2, LOOK_INTERVAL_MS) < 0)
            continue;
        if (fds[0].revents != 0)
            was_set = read_timer();
        if (was_set >= 0 && fds[1].revents != 0 && read(poke, &pokes, sizeof(pokes)) < 0)
            was_set = -errno;
        if (was_set < 0) {
            /* A module has closed it, and perhaps something else has its number now. */
            host_log(NULL, RV_LOG_ERROR,
                     "the time of day is not watched any more: schedules that go by it keep to the "
                     "clock and zone as they are now: %s",
                     strerror(-was_set));
            return NULL;
        }
        tell_all(was_set);
    }
}

static int open_descriptors(void)
{
    timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return timer < 0 || poke < 0 || arm(timer) < 0 ? -EAGAIN : 0;
}

static void close_descriptors(void)
{
    if (timer >= 0)
        close(timer);
    if (poke >= 0)
        close(poke);
    timer = poke = -1;
}

/* Under the lock. The thread lives as long as the process. */
static int start_thread(void)
{
    int r = open_descriptors();

    if (r == 0)
        r = thread_start(wait_for_changes, NULL, THREAD_STACK_SIZE, NULL);
    if (r < 0)
        close_descriptors();
    return r;
}

static void poke_thread(void)
{
    const uint64_t one = 1;

    (void)!write(poke, &one, sizeof(one));
}

void wall_clock_look(void)
{
    pthread_mutex_lock(&lock);
    if (started)
        poke_thread();
    pthread_mutex_unlock(&lock);
}

int wall_clock_watch(void (*fn)(bool was_set, void *arg), void *arg, struct wall_clock **ret_watch)
{
    struct wall_clock *watch = malloc(sizeof(*watch));
    int r = 0;

    if (!watch)
        return -ENOMEM;
    *watch = (struct wall_clock){.fn = fn, .arg = arg, .is_new = true};
    pthread_mutex_lock(&lock);
    if (!started)
        r = start_thread();
    started = r == 0;
    if (r == 0) {
        list_append(&watches, &watch->list);
        poke_thread();
    }
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
