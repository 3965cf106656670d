/* SPDX-License-Identifier: MIT */
/*
 * Periodic functions without a thread of their own.
 *
 * Properties: runs start on the grid of the interval and never overlap; a tick that finds the
 * function running is lost. After the context is done, or an error, no run starts. Want of memory
 * puts a run off, and nothing else: it ends no periodic function. Functions of the user's run
 * without a lock, `next` included.
 *
 * Operation: waiting, the record has a timer in the common wheel. The timer queues it as work; a
 * thread runs the function, and arms the timer for the next point of the grid that is still to
 * come. The end, however it came, is work that needs no free thread, or is done by whoever stops
 * it. Where the owner has a `next` of its own, that takes the place of the grid. A run whose
 * context cannot be had is tried again after a pause.
 *
 * Safety: the lock protects state, cancelled, changes, run and the result. States follow each other
 * only as drawn, and each change is made by one party: waiting -> queued by whoever disarms the
 * timer or by the timer itself; waiting -> asking -> waiting or queued by whoever reschedules;
 * queued -> running -> waiting or ended by the thread that took the work, or took it back. The
 * thread that asks `next` compares `changes` before and after, so an answer is never older than a
 * reschedule.
 */
#include <errno.h>
#include <reeve/ticker.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/internal.h"

/* Before a run that found no memory is tried again. */
#define RETRY_PAUSE (100 * RV_MILLISECOND)

struct rv_periodic {
    struct timer timer;
    struct work work;
    struct context_hook hook;
    struct rv_context *ctx; /* a reference */
    struct rv_context *run; /* of the run under way */
    rv_function fn;
    void *arg;
    void (*ended)(int code, const char *text, void *arg);
    rv_time (*next)(void *arg);
    rv_duration interval;
    rv_time due;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread; /* that runs fn */
    enum {
        PERIODIC_WAITING,
        PERIODIC_ASKING, /* somebody else than a run asks `next` */
        PERIODIC_QUEUED,
        PERIODIC_LEFT, /* to who stops it */
        PERIODIC_RUNNING,
        PERIODIC_ENDED
    } state;
    uint64_t changes; /* of what `next` goes by */
    bool cancelled;
    bool stopping; /* somebody waits in rv_periodic_destroy() */
    bool free_when_done;
    int code;
};

/* Under the lock: what is not to run any more, and is nobody's, is ended by whoever stops it, who
 * needs no further thread for that. */
static void end_soon(struct rv_periodic *periodic)
{
    if (periodic->stopping) {
        periodic->state = PERIODIC_LEFT;
        pthread_cond_broadcast(&periodic->changed);
    } else {
        periodic->state = PERIODIC_QUEUED;
        executor_queue_ending(&periodic->work);
    }
}

static void timer_due(struct timer *timer)
{
    struct rv_periodic *periodic = container_of(timer, struct rv_periodic, timer);

    pthread_mutex_lock(&periodic->lock);
    if (periodic->cancelled) {
        end_soon(periodic);
    } else {
        periodic->state = PERIODIC_QUEUED;
        executor_queue(
            &periodic->work); /* with the lock, so that it can be taken back from now on */
    }
    pthread_mutex_unlock(&periodic->lock);
}

/* Under the lock: takes a record that waits, or is queued and not begun, out of that. Returns
 * whether it did: then it is the caller's to end. */
static bool take_out(struct rv_periodic *periodic)
{
    /* A timer that runs at this moment queues it, whatever we do. */
    if (periodic->state == PERIODIC_WAITING && timer_disarm(&periodic->timer)) {
        periodic->state = PERIODIC_QUEUED;
        return true;
    }
    return periodic->state == PERIODIC_QUEUED && executor_take_back(&periodic->work);
}

static void context_done(struct context_hook *hook)
{
    struct rv_periodic *periodic = container_of(hook, struct rv_periodic, hook);

    pthread_mutex_lock(&periodic->lock);
    periodic->cancelled = true;
    if (take_out(periodic))
        end_soon(periodic);
    pthread_mutex_unlock(&periodic->lock);
}

static void periodic_free(struct rv_periodic *periodic)
{
    pthread_mutex_destroy(&periodic->lock);
    pthread_cond_destroy(&periodic->changed);
    rv_context_unref(periodic->ctx);
    free(periodic);
}

/* Whether it is to run. A stop from now on cancels that. */
static bool begin_run(struct rv_periodic *periodic, struct rv_context *run)
{
    bool cancelled;

    pthread_mutex_lock(&periodic->lock);
    cancelled = periodic->cancelled;
    if (!cancelled) {
        periodic->run = run;
        periodic->thread = pthread_self();
        periodic->state = PERIODIC_RUNNING;
    }
    pthread_mutex_unlock(&periodic->lock);
    return !cancelled;
}

/* Returns false when there was no memory to run it with; else *ret_code is what fn has returned, if
 * it was called. */
static bool run_once(struct rv_periodic *periodic, int *ret_code)
{
    struct rv_context *run;

    if (rv_context_with_cancel(periodic->ctx, &run, NULL) < 0)
        return false;
    if (begin_run(periodic, run)) {
        *ret_code = call_function(periodic->fn, run, periodic->arg);
        pthread_mutex_lock(&periodic->lock);
        periodic->run = NULL;
        pthread_mutex_unlock(&periodic->lock);
    }
    rv_context_cancel(cancel_of(run), 0, NULL);
    rv_context_unref(run);
    return true;
}

/* Under the lock, which it gives up for a `next` of the owner's: when the next run is due. */
static rv_time find_due(struct rv_periodic *periodic)
{
    rv_time due;
    uint64_t changes;

    if (!periodic->next)
        return grid_next(periodic->due, periodic->interval, rv_now());
    do {
        changes = periodic->changes;
        pthread_mutex_unlock(&periodic->lock);
        due = periodic->next(periodic->arg);
        pthread_mutex_lock(&periodic->lock);
    } while (changes != periodic->changes && !periodic->cancelled);
    return due;
}

/* Under the lock. */
static void wait_until(struct rv_periodic *periodic, rv_time time)
{
    periodic->state = PERIODIC_WAITING;
    (void)timer_arm(&periodic->timer, time); /* cannot fail: its thread is there */
}

static void end(struct rv_periodic *periodic, int code, const char *text)
{
    bool last;

    if (periodic->ended)
        periodic->ended(code, text, periodic->arg);
    pthread_mutex_lock(&periodic->lock);
    periodic->code = code;
    periodic->state = PERIODIC_ENDED;
    last = periodic->free_when_done;
    pthread_cond_broadcast(&periodic->changed);
    pthread_mutex_unlock(&periodic->lock);
    if (last)
        periodic_free(periodic);
}

/* Under the lock, which it gives up; `code` is what fn returned, or 0. */
static void end_here(struct rv_periodic *periodic, int code)
{
    char text[RV_ERROR_TEXT_SIZE];

    string_copy(text, sizeof(text), code < 0 ? rv_error_text(code) : "");
    /* So that `ended` too may stop it from within. */
    periodic->thread = pthread_self();
    periodic->state = PERIODIC_RUNNING;
    pthread_mutex_unlock(&periodic->lock);
    if (code >= 0)
        code = rv_context_err(periodic->ctx);
    end(periodic, code < 0 ? code : -ECANCELED, text);
}

static void work_due(struct work *work)
{
    struct rv_periodic *periodic = container_of(work, struct rv_periodic, work);
    bool ran;
    int r = 0;

    rv_error_clear();
    ran = run_once(periodic, &r);
    pthread_mutex_lock(&periodic->lock);
    if (ran && r >= 0 && !periodic->cancelled)
        periodic->due = find_due(periodic);
    if (r < 0 || periodic->cancelled) {
        end_here(periodic, r);
        return;
    }
    wait_until(periodic, ran ? periodic->due : rv_now() + RETRY_PAUSE);
    pthread_mutex_unlock(&periodic->lock);
}

void rv_periodic_reschedule(struct rv_periodic *periodic)
{
    pthread_mutex_lock(&periodic->lock);
    periodic->changes++;
    /* Else it is about to run, runs, or has ended, or somebody asks: then next is asked anyway, or
     * never again. */
    if (periodic->next && periodic->state == PERIODIC_WAITING && timer_disarm(&periodic->timer)) {
        periodic->state = PERIODIC_ASKING;
        periodic->due = find_due(periodic);
        if (periodic->cancelled)
            end_soon(periodic);
        else
            wait_until(periodic, periodic->due);
    }
    pthread_mutex_unlock(&periodic->lock);
}

/* Members that a caller's older header did not have are zero. */
static int take_spec(const struct rv_periodic_spec *given, struct rv_periodic_spec *ret_spec)
{
    *ret_spec = (struct rv_periodic_spec){0};
    if (given->size < offsetof(struct rv_periodic_spec, next) || given->size > sizeof(*ret_spec))
        return -EINVAL;
    memcpy(ret_spec, given, given->size);
    return (ret_spec->interval <= 0 && !ret_spec->next) || ret_spec->delay < 0 ? -EINVAL : 0;
}

int rv_periodic_create(struct rv_context *ctx, const struct rv_periodic_spec *given, rv_function fn,
                       void *arg, struct rv_periodic **ret_periodic)
{
    struct rv_periodic_spec spec;
    struct rv_periodic *periodic;
    int r;

    if (take_spec(given, &spec) < 0)
        return error_bare(-EINVAL);
    r = error_bare(rv_context_err(ctx));
    if (r == 0 && runtime_is_forked())
        r = runtime_refuse_fork();
    if (r != 0)
        return r;
    periodic = calloc(1, sizeof(*periodic));
    if (!periodic)
        return error_bare(-ENOMEM);
    pthread_mutex_init(&periodic->lock, NULL);
    pthread_cond_init(&periodic->changed, NULL);
    list_init(&periodic->hook.list);
    periodic->timer.fn = timer_due;
    periodic->work.fn = work_due;
    periodic->hook.fn = context_done;
    periodic->ctx = rv_context_ref(ctx);
    periodic->fn = fn;
    periodic->arg = arg;
    periodic->ended = spec.ended;
    periodic->next = spec.next;
    periodic->interval = spec.interval;
    r = executor_prepare_ending();
    if (r < 0) {
        periodic_free(periodic);
        return error_bare(r);
    }
    periodic->due = spec.next ? spec.next(arg) : deadline_after(spec.delay);
    /* Until its timer is armed the context's end only notes itself. */
    periodic->state = PERIODIC_ASKING;
    if (context_hook_add(ctx, &periodic->hook) != 0)
        context_done(&periodic->hook);
    /* The first run, which may stop it by *ret_periodic, waits for the lock. */
    pthread_mutex_lock(&periodic->lock);
    *ret_periodic = periodic;
    wait_until(periodic, periodic->due);
    if (periodic->cancelled && take_out(periodic))
        end_soon(periodic);
    pthread_mutex_unlock(&periodic->lock);
    return 0;
}

int rv_periodic_destroy(struct rv_periodic *periodic)
{
    struct rv_context *run = NULL;
    int code;

    if (!periodic)
        return 0;
    context_hook_remove(periodic->ctx, &periodic->hook);
    pthread_mutex_lock(&periodic->lock);
    periodic->cancelled = true;
    if (periodic->state == PERIODIC_RUNNING && pthread_equal(periodic->thread, pthread_self())) {
        periodic->free_when_done = true;
        pthread_mutex_unlock(&periodic->lock);
        return error_bare(-ECANCELED);
    }
    /* A run that no thread has begun ends here: the thread that it waits for may be this one. */
    if (take_out(periodic)) {
        end_here(periodic, 0);
        pthread_mutex_lock(&periodic->lock);
    }
    if (periodic->run)
        run = rv_context_ref(periodic->run);
    pthread_mutex_unlock(&periodic->lock);
    if (run) {
        rv_context_cancel(cancel_of(run), 0, "the periodic function is stopped");
        rv_context_unref(run);
    }
    pthread_mutex_lock(&periodic->lock);
    periodic->stopping = true;
    while (periodic->state != PERIODIC_ENDED && !runtime_is_forked()) {
        if (periodic->state != PERIODIC_LEFT) {
            pthread_cond_wait(&periodic->changed, &periodic->lock);
            continue;
        }
        end_here(periodic, 0);
        pthread_mutex_lock(&periodic->lock);
    }
    code = periodic->code;
    pthread_mutex_unlock(&periodic->lock);
    /* The timer's function may not have returned yet. */
    timer_remove(&periodic->timer);
    periodic_free(periodic);
    return error_bare(code);
}
