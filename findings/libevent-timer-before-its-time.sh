#!/bin/sh
# SPDX-License-Identifier: MIT
# A timer of libevent that a busy callback adds fires early, by as long as the callback had worked, but only beside other timers.
#
# Guess: evtimer_add() with 100 ms fires 100 ms after the call or later, as timers of POSIX, of the kernel and of other loops do,
# and whether there are others does not matter.
# Seen with 2.1.12 and 2.1.13: after 50 ms of work in the callback, a timer of 100 ms that is alone fires after 100 ms, as the wait
# in the kernel begins anew. Once another timer wakes the loop meanwhile, it fires after 50 ms: the delay counts from when the loop
# last looked at the clock, before the callback. event_base_update_cache_time() before the call puts it right.
. "$(dirname "$0")/common.sh"

cat >"$work/timer.c" <<'C'
#include <event2/event.h>
#include <stdio.h>
#include <time.h>

static struct event_base *base;
static struct event *timer, *other;
static long long due;
static int updates;

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void fired(evutil_socket_t fd, short what, void *arg)
{
    /* So much earlier that no rounding is to blame. */
    puts(now() < due - 25 ? "early" : "in time");
    event_base_loopbreak(base);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
}

static void work(evutil_socket_t fd, short what, void *arg)
{
    struct timeval delay = {0, 100000};
    long long end = now() + 50;

    while (now() < end)
        ;
    if (updates)
        event_base_update_cache_time(base);
    due = now() + 100;
    evtimer_add(timer, &delay);
}

static void try(const char *name, int with_other)
{
    struct timeval none = {0}, ticks = {0, 10000};
    struct event_config *config = event_config_new();
    struct event *begin;

    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    base = event_base_new_with_config(config);
    timer = evtimer_new(base, fired, NULL);
    other = event_new(base, -1, EV_PERSIST, tick, NULL);
    begin = evtimer_new(base, work, NULL);
    if (with_other)
        evtimer_add(other, &ticks);
    evtimer_add(begin, &none);
    printf("%s: ", name);
    event_base_dispatch(base);
    event_free(begin);
    event_free(other);
    event_free(timer);
    event_base_free(base);
    event_config_free(config);
}

int main(void)
{
    try("alone", 0);
    try("beside another", 1);
    updates = 1;
    try("beside another, after an update of the cached time", 1);
    return 0;
}
C

seen_times() {
    cp "$work/timer.c" "$work/$1/tmp/"
    inside "$work/$1" gcc -w -o /tmp/timer /tmp/timer.c -levent
    inside "$work/$1" /tmp/timer
}

seen='alone: in time
beside another: early
beside another, after an update of the cached time: in time'
mkdir -p "$work/bookworm/tmp" "$work/trixie/tmp"
unpack "$work/bookworm" bookworm libevent-dev=2.1.12-stable-8 gcc=4:12.2.0-3 libc6-dev=2.36-9+deb12u14
expect 'libevent 2.1.12' "$seen" seen_times bookworm
unpack "$work/trixie" trixie libevent-dev=2.1.13-stable-1~deb13u1 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
expect 'libevent 2.1.13' "$seen" seen_times trixie
