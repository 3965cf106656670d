/* SPDX-License-Identifier: MIT */
#include "daemon/loop/loop.h"

#include <errno.h>
#include <event2/event.h>

#include "base/duration.h"
#include "base/log.h"
#include "daemon/loop/internal.h"

struct loop {
    struct event_base *base;
};

static void log_message(int severity, const char *message)
{
    switch (severity) {
    case EVENT_LOG_ERR:
        log_error("libevent: %s", message);
        break;
    case EVENT_LOG_WARN:
        log_warning("libevent: %s", message);
        break;
    default:
        log_debug("libevent: %s", message);
    }
}

int loop_create(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct event_config *config = event_config_new();

    event_set_log_callback(log_message);
    if (loop && config) {
        /* Without it timers are as coarse as the kernel's tick. */
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
        /* EVENT_EPOLL and the like must not choose another mechanism for a system daemon. */
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
        loop->base = event_base_new_with_config(config);
    }
    if (config)
        event_config_free(config);
    if (!loop || !loop->base) {
        free(loop);
        return -ENOMEM;
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    event_base_free(loop->base);
    free(loop);
    libevent_global_shutdown();
}

int loop_run(struct loop *loop)
{
    return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

struct loop_io {
    struct event *event;
    struct event_base *base;
    int fd;
    unsigned watched;
    loop_io_fn fn;
    void *arg;
};

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
    struct loop_io *io = arg;
    unsigned events = (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0);

    io->fn(fd, events, io->arg);
}

int loop_io_create(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *arg,
                   struct loop_io **ret_io)
{
    struct loop_io *io = calloc(1, sizeof(*io));

    if (!io)
        return -ENOMEM;
    *io = (struct loop_io){.base = loop->base, .fd = fd, .fn = fn, .arg = arg};
    io->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, io_ready, io);
    if (!io->event) {
        free(io);
        return -ENOMEM;
    }
    loop_io_watch(io, events);
    *ret_io = io;
    return 0;
}

void loop_io_watch(struct loop_io *io, unsigned events)
{
    short what = EV_PERSIST;

    if (events == io->watched)
        return;
    io->watched = events;
    event_del(io->event);
    if (events == 0)
        return;
    what |= events & LOOP_READ ? EV_READ : 0;
    what |= events & LOOP_WRITE ? EV_WRITE : 0;
    event_assign(io->event, io->base, io->fd, what, io_ready, io);
    if (event_add(io->event, NULL) < 0)
        log_error("cannot watch descriptor %d: %m", io->fd);
}

void loop_io_destroy(struct loop_io *io)
{
    if (!io)
        return;
    event_free(io->event);
    free(io);
}

struct loop_timer {
    struct event *event;
    loop_timer_fn fn;
    void *arg;
};

static void timer_expired(evutil_socket_t fd unused, short what unused, void *arg)
{
    struct loop_timer *timer = arg;

    timer->fn(timer->arg);
}

int loop_timer_create(struct loop *loop, loop_timer_fn fn, void *arg, struct loop_timer **ret_timer)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return -ENOMEM;
    *timer = (struct loop_timer){.fn = fn, .arg = arg};
    timer->event = evtimer_new(loop->base, timer_expired, timer);
    if (!timer->event) {
        free(timer);
        return -ENOMEM;
    }
    *ret_timer = timer;
    return 0;
}

void loop_timer_arm(struct loop_timer *timer, int64_t ns)
{
    struct timeval delay = {0};

    if (ns > 0) {
        /* Rounded up: a timer must not run before its time. */
        int64_t us = (ns + NSEC_PER_USEC - 1) / NSEC_PER_USEC;

        delay.tv_sec = us / 1000000;
        delay.tv_usec = us % 1000000;
    }
    if (evtimer_add(timer->event, &delay) < 0)
        log_error("cannot arm a timer: %m");
}

void loop_timer_disarm(struct loop_timer *timer)
{
    if (timer)
        evtimer_del(timer->event);
}

void loop_timer_destroy(struct loop_timer *timer)
{
    if (!timer)
        return;
    event_free(timer->event);
    free(timer);
}
