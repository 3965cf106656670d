/* SPDX-License-Identifier: MIT */
/*
 * Safety: `lock` protects the lists, each alarm's due, and `ringing`. A hook, which runs under its
 * context's lock, takes our lock; so hooks are added and removed without it. alarm_end() removes
 * the hook first: then only the thread can still put the alarm on a list, from within its call,
 * which alarm_end() waits for.
 */
#include "host/process/alarm.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/thread.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* on the monotonic clock */
static pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
static struct list ready = {&ready, &ready}; /* in the order of their coming */
static struct list waiting = {&waiting,
                              &waiting}; /* for a time: no more than calls that are cancelled */
static struct alarm *ringing;

/* With the lock: those that are due become ready. Returns when the next one is due. */
static rv_time look_at_times(rv_time now)
{
    rv_time earliest = RV_NEVER;
    struct list *next;

    for (struct list *item = waiting.next; item != &waiting; item = next) {
        struct alarm *alarm = list_entry(item, struct alarm, list);

        next = item->next;
        if (alarm->due > now) {
            earliest = MIN(earliest, alarm->due);
            continue;
        }
        list_remove(&alarm->list);
        list_append(&ready, &alarm->list);
    }
    return earliest;
}

/* With the lock. */
static void wait_until(rv_time time)
{
    struct timespec until = {time / RV_SECOND, time % RV_SECOND};

    if (time == RV_NEVER)
        pthread_cond_wait(&changed, &lock);
    else
        pthread_cond_timedwait(&changed, &lock, &until);
}

static void *ring(void *arg _unused_)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        rv_time next = look_at_times(rv_now());

        if (list_is_empty(&ready)) {
            wait_until(next);
            continue;
        }
        ringing = list_entry(ready.next, struct alarm, list);
        list_remove(&ringing->list);
        pthread_mutex_unlock(&lock);
        ringing->fn(ringing);
        pthread_mutex_lock(&lock);
        ringing = NULL;
        pthread_cond_broadcast(&rung);
    }
    return NULL;
}

static void context_is_done(struct rv_host_hook *hook)
{
    alarm_set(container_of(hook, struct alarm, hook), 0);
}

static int make_thread(void)
{
    pthread_condattr_t condition;

    pthread_condattr_init(&condition);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &condition);
    pthread_condattr_destroy(&condition);
    return thread_start(ring, NULL, THREAD_STACK_SIZE, NULL);
}

/* The runtime makes the thread of its timers with the first of them. */
static int start_timers(void)
{
    struct rv_context *ctx;
    int r = rv_context_with_timeout(rv_context_background(), RV_HOUR, &ctx, NULL);

    if (r == 0)
        rv_context_unref(ctx);
    return r;
}

int alarm_open(void)
{
    static bool has_thread;
    int r = has_thread ? 0 : make_thread();

    has_thread = r == 0;
    return r < 0 ? r : start_timers();
}

void alarm_begin(struct alarm *alarm, struct rv_context *ctx)
{
    list_init(&alarm->list);
    alarm->due = RV_NEVER;
    alarm->ctx = ctx;
    alarm->hook.fn = context_is_done;
    if (ctx && rv_host_hook_add(ctx, &alarm->hook) != 0)
        alarm_set(alarm, 0);
}

void alarm_set(struct alarm *alarm, rv_time due)
{
    pthread_mutex_lock(&lock);
    list_remove(&alarm->list);
    alarm->due = due;
    list_append(due == 0 ? &ready : &waiting, &alarm->list);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void alarm_end(struct alarm *alarm)
{
    if (alarm->ctx)
        rv_host_hook_remove(alarm->ctx, &alarm->hook);
    pthread_mutex_lock(&lock);
    while (ringing == alarm)
        pthread_cond_wait(&rung, &lock);
    list_remove(&alarm->list);
    pthread_mutex_unlock(&lock);
}
