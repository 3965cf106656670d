/* SPDX-License-Identifier: MIT */
/*
 * Sources and timers of loop.h do not call anybody from libevent's callbacks. They queue up as
 * ready, in their order, and are called in slices of time; between two slices libevent looks for
 * new events and calls what hangs on the event base itself, which is the HTTP servers. So a probe
 * is answered soon however many hosts have something to say: it waits for a slice, and not for all
 * of them. As each turn has its slice, requests hold up nobody for ever either.
 *
 * A source is at most once in the queue, with the events that have come. One that is taken out of
 * the queue before its turn (a timer that is armed anew, a watch that is changed) is not called.
 */
#include "daemon/loop/loop.h"

#include <errno.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/loop/internal.h"

/* How soon a watch is tried again that the kernel refused: memory and room come back, or not, in
 * their own time. */
#define RETRY_USEC 100000

/* How long sources are called before probes have their turn. */
#define SLICE (2 * NSEC_PER_MSEC)

struct loop {
    struct event_base *base;
    struct list ready;   /* sources and timers that are to be called */
    struct event *turn;  /* calls them */
    struct list refused; /* sources whose watch is to be tried again */
    struct event *retry;
    bool suspended; /* see internal.h */
};

/* In each source and timer. */
struct ready {
    struct list list; /* in the loop's queue, when it is to be called */
    struct loop *loop;
    void (*call)(struct ready *ready);
};

static void try_again(evutil_socket_t fd, short what, void *arg);
static void take_turn(evutil_socket_t fd, short what, void *arg);

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
    list_init(&loop->refused);
    list_init(&loop->ready);
    loop->retry = evtimer_new(loop->base, try_again, loop);
    loop->turn = evtimer_new(loop->base, take_turn, loop);
    if (!loop->retry || !loop->turn) {
        loop_destroy(loop);
        return -ENOMEM;
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->retry)
        event_free(loop->retry);
    if (loop->turn)
        event_free(loop->turn);
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

/* The queue --------------------------------------------------------------- */

/* In this turn of the loop, behind what it has found already. */
static void queue_ready(struct ready *ready)
{
    struct loop *loop = ready->loop;

    if (list_is_empty(&ready->list))
        list_append(&loop->ready, &ready->list);
    if (!loop->suspended)
        event_active(loop->turn, EV_TIMEOUT, 0);
}

static void take_turn(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    static const struct timeval next_turn = {0};
    struct loop *loop = arg;
    int64_t end = clock_monotonic() + SLICE;

    while (!list_is_empty(&loop->ready) && !loop->suspended && !event_base_got_break(loop->base)) {
        struct ready *ready = list_entry(loop->ready.next, struct ready, list);

        if (clock_monotonic() >= end)
            break;
        list_remove(&ready->list);
        ready->call(ready);
    }
    if (!list_is_empty(&loop->ready) && !loop->suspended)
        evtimer_add(loop->turn, &next_turn);
}

void loop_suspend(struct loop *loop, bool suspended)
{
    loop->suspended = suspended;
    if (!suspended && !list_is_empty(&loop->ready))
        event_active(loop->turn, EV_TIMEOUT, 0);
}

/* Descriptors ------------------------------------------------------------- */

struct loop_io {
    struct ready ready;
    struct list refused; /* in the loop's list */
    struct event *event;
    int fd;
    unsigned watched;
    unsigned events; /* that have come since it was called */
    loop_io_fn fn;
    void *arg;
};

static void call_io(struct ready *ready)
{
    struct loop_io *io = list_entry(ready, struct loop_io, ready);
    unsigned events = io->events;

    io->events = 0;
    io->fn(io->fd, events, io->arg);
}

/* A descriptor that is ready stays so, and is told again in each turn until it is read. */
static void io_ready(evutil_socket_t fd _unused_, short what, void *arg)
{
    struct loop_io *io = arg;

    io->events |= (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0);
    queue_ready(&io->ready);
}

/* Makes the kernel watch for what io->watched says. Returns 0 or a negative errno. */
static int set_watch(struct loop_io *io)
{
    short what = EV_PERSIST;

    event_del(io->event);
    list_remove(&io->refused);
    if (io->watched == 0)
        return 0;
    what |= io->watched & LOOP_READ ? EV_READ : 0;
    what |= io->watched & LOOP_WRITE ? EV_WRITE : 0;
    event_assign(io->event, io->ready.loop->base, io->fd, what, io_ready, io);
    return event_add(io->event, NULL) < 0 ? -errno : 0;
}

static void keep_watch(struct loop_io *io)
{
    static const struct timeval delay = {.tv_usec = RETRY_USEC};

    if (set_watch(io) == 0)
        return;
    /* libevent has logged why. */
    list_append(&io->ready.loop->refused, &io->refused);
    evtimer_add(io->ready.loop->retry, &delay);
}

static void try_again(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    struct loop *loop = arg;
    struct list refused;

    /* Those that are refused again go to the loop's own list. */
    list_init(&refused);
    while (!list_is_empty(&loop->refused)) {
        struct list *node = loop->refused.next;

        list_remove(node);
        list_append(&refused, node);
    }
    while (!list_is_empty(&refused))
        keep_watch(list_entry(refused.next, struct loop_io, refused));
}

int loop_io_create(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *arg,
                   struct loop_io **ret_io)
{
    struct loop_io *io = calloc(1, sizeof(*io));
    int r;

    if (!io)
        return -ENOMEM;
    *io = (struct loop_io){
        .ready = {.loop = loop, .call = call_io},
        .fd = fd,
        .watched = events,
        .fn = fn,
        .arg = arg,
    };
    list_init(&io->ready.list);
    list_init(&io->refused);
    io->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, io_ready, io);
    r = io->event ? set_watch(io) : -ENOMEM;
    if (r < 0) {
        loop_io_destroy(io);
        return r;
    }
    *ret_io = io;
    return 0;
}

void loop_io_watch(struct loop_io *io, unsigned events)
{
    if (events == io->watched)
        return;
    io->watched = events;
    io->events &= events;
    if (io->events == 0)
        list_remove(&io->ready.list);
    keep_watch(io);
}

void loop_io_destroy(struct loop_io *io)
{
    if (!io)
        return;
    list_remove(&io->ready.list);
    list_remove(&io->refused);
    if (io->event)
        event_free(io->event);
    free(io);
}

/* Timers ------------------------------------------------------------------ */

struct loop_timer {
    struct ready ready;
    struct event *event;
    int64_t due; /* monotonic; 0: not armed */
    loop_timer_fn fn;
    void *arg;
};

static void call_timer(struct ready *ready)
{
    struct loop_timer *timer = list_entry(ready, struct loop_timer, ready);

    timer->due = 0;
    timer->fn(timer->arg);
}

static void timer_expired(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    struct loop_timer *timer = arg;

    queue_ready(&timer->ready);
}

int loop_timer_create(struct loop *loop, loop_timer_fn fn, void *arg, struct loop_timer **ret_timer)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return -ENOMEM;
    *timer = (struct loop_timer){.ready = {.loop = loop, .call = call_timer}, .fn = fn, .arg = arg};
    list_init(&timer->ready.list);
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
        /* libevent counts from when this turn began. */
        event_base_update_cache_time(timer->ready.loop->base);
    }
    list_remove(&timer->ready.list);
    timer->due = clock_monotonic() + MAX(ns, INT64_C(0));
    if (evtimer_add(timer->event, &delay) < 0)
        log_error("cannot arm a timer: %m");
}

int64_t loop_timer_due(const struct loop_timer *timer)
{
    return timer->due;
}

void loop_timer_disarm(struct loop_timer *timer)
{
    if (!timer)
        return;
    timer->due = 0;
    list_remove(&timer->ready.list);
    evtimer_del(timer->event);
}

void loop_timer_destroy(struct loop_timer *timer)
{
    if (!timer)
        return;
    list_remove(&timer->ready.list);
    event_free(timer->event);
    free(timer);
}
