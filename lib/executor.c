/* SPDX-License-Identifier: MIT */
/*
 * The threads of the runtime: made when needed, kept for reuse, at most threads_max. The queue for
 * them is in work.c.
 *
 * Properties: executor_start() runs at once or fails; reserved threads can always be had by those
 * who reserved them. A thread whose function has called executor_retire() counts as free from then
 * on: whoever waits for the end of a pool finds room for the next. An idle executor has no
 * wake-ups. After a fork the child has no threads, and gets none: all of this fails there at once.
 *
 * Operation: an idle thread waits on a condition of its own with the function that it is given
 * next. One that has run its function looks for queued work before it idles.
 *
 * Safety: `executor_lock` protects everything here. A thread is idle (on the list), busy, or
 * retiring, which lasts only until its function returns: after executor_retire() it takes no lock
 * but this one, so a caller that needs a thread at the limit may wait for it, whatever locks it
 * holds. The same is true of a thread that comes for queued work when there is none left. The code
 * that takes a thread off the idle list under the lock owns its next run.
 */
#include "lib/executor.h"

#include <assert.h>
#include <errno.h>
#include <reeve/host.h>
#include <reeve/runtime.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/thread.h"
#include "lib/internal.h"

#define THREADS_MAX 256

struct thread {
    struct list list; /* in idle_threads */
    pthread_cond_t given;
    void (*fn)(void *arg);
    void *arg;
    struct parker *parker; /* so that whatever it blocks in has one, also without memory */
    bool quit;
    bool retiring;
};

/* Held for some tens of nanoseconds: who finds it taken looks again before sleeping. */
pthread_mutex_t executor_lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
/* A thread has quit, or is no longer retiring. */
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static struct list idle_threads = {&idle_threads, &idle_threads};
static unsigned threads, idle_count, retiring, reserved, threads_max = THREADS_MAX;
static unsigned awaited; /* threads that retire, by those who could not have another one */
static uint64_t quits, retirements; /* ever */
static size_t stack_size = THREAD_STACK_SIZE;
static __thread struct thread *self_thread; /* NULL where the thread is not ours */

/* Called with the lock. Returns false when the thread is to end. */
static bool wait_idle(struct thread *self)
{
    list_prepend(&idle_threads, &self->list);
    idle_count++;
    while (!self->fn && !self->quit)
        pthread_cond_wait(&self->given, &executor_lock);
    return !self->quit;
}

static void run_given(struct thread *self)
{
    void (*fn)(void *arg) = self->fn;
    void *arg = self->arg;

    self->fn = NULL;
    pthread_mutex_unlock(&executor_lock);
    fn(arg);
    pthread_mutex_lock(&executor_lock);
    executor_settle();
}

void executor_settle(void)
{
    if (!self_thread || !self_thread->retiring)
        return;
    self_thread->retiring = false;
    retiring--;
    retirements++;
    pthread_cond_broadcast(&settled);
}

void executor_retire_locked(void)
{
    if (!self_thread->retiring)
        retiring++;
    self_thread->retiring = true;
}

void executor_retire(void)
{
    /* Where a thread could not be had, callers run their functions themselves. */
    if (!self_thread)
        return;
    pthread_mutex_lock(&executor_lock);
    executor_retire_locked();
    pthread_mutex_unlock(&executor_lock);
}

/* Called with the lock: threads that will be free in a moment. One that comes for nothing takes no
 * work that is queued meanwhile if it is wanted (executor_is_wanted()). */
static unsigned becoming_free(void)
{
    return retiring + work_coming_for_nothing();
}

/* Called with the lock: threads that work, or are promised to work. */
static unsigned committed(void)
{
    return threads - idle_count - becoming_free() + reserved;
}

bool executor_is_exhausted(void)
{
    return committed() >= threads_max;
}

bool executor_is_wanted(void)
{
    return awaited > idle_count || committed() > threads_max;
}

bool executor_has_threads(void)
{
    return threads > 0;
}

size_t executor_stack_size(void)
{
    return stack_size;
}

static void *run(void *arg)
{
    struct thread *self = arg;
    bool watch;

    self_thread = self;
    parker_adopt(self->parker);
    hosted_thread_start();
    pthread_mutex_lock(&executor_lock);
    do {
        run_given(self);
        work_run_all();
    } while (wait_idle(self));
    threads--;
    quits++;
    pthread_cond_broadcast(&settled);
    /* Work that was queued when there seemed to be no room for a thread. */
    watch = work_find_threads();
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
    pthread_cond_destroy(&self->given);
    free(self);
    return NULL;
}

/* Called with the lock. */
static int make_thread(void (*fn)(void *arg), void *arg)
{
    struct thread *self = calloc(1, sizeof(*self));

    if (!self)
        return -EAGAIN;
    self->parker = parker_prepare();
    if (!self->parker) {
        free(self);
        return -EAGAIN;
    }
    list_init(&self->list);
    pthread_cond_init(&self->given, NULL);
    self->fn = fn;
    self->arg = arg;
    if (thread_start(run, self, stack_size, NULL) < 0) {
        parker_give_back(self->parker);
        pthread_cond_destroy(&self->given);
        free(self);
        return -EAGAIN;
    }
    threads++;
    return 0;
}

/* Called with the lock. */
static void give(struct thread *thread, void (*fn)(void *arg), void *arg)
{
    list_remove(&thread->list);
    idle_count--;
    thread->fn = fn;
    thread->arg = arg;
    pthread_cond_signal(&thread->given);
}

static struct thread *any_idle(void)
{
    return idle_count > 0 ? list_entry(idle_threads.next, struct thread, list) : NULL;
}

/* Called with the lock, which it may give up to wait for a thread that becomes free; the thread
 * that is wanted is among the reserved ones, and no longer is afterwards. */
static int start_promised(void (*fn)(void *arg), void *arg)
{
    int r = -EAGAIN;

    /* In a child of fork() those that idle or retire are not there. */
    while (!runtime_is_forked()) {
        if (any_idle()) {
            give(any_idle(), fn, arg);
            r = 0;
        } else if (threads < threads_max) {
            r = make_thread(fn, arg);
        }
        /* Neither we nor the kernel have one: but one is about to be free. */
        if (r == 0 || becoming_free() == 0)
            break;
        awaited++;
        pthread_cond_wait(&settled, &executor_lock);
        awaited--;
    }
    reserved--;
    return r;
}

/* Threads that are promised to others stay free. */
int executor_start_locked(void (*fn)(void *arg), void *arg)
{
    if (executor_is_exhausted())
        return -EAGAIN;
    reserved++;
    return start_promised(fn, arg);
}

int executor_start(void (*fn)(void *arg), void *arg)
{
    int r;

    if (runtime_is_forked())
        return -EAGAIN;
    pthread_mutex_lock(&executor_lock);
    r = executor_start_locked(fn, arg);
    pthread_mutex_unlock(&executor_lock);
    return r;
}

int executor_start_beyond(void (*fn)(void *arg), void *arg)
{
    int r;

    if (runtime_is_forked())
        return -EAGAIN;
    pthread_mutex_lock(&executor_lock);
    r = executor_start_locked(fn, arg);
    /* It counts like any other from now on: as it ends, what waits for a thread goes on waiting
     * until there are no more than there may be. */
    if (r < 0)
        r = make_thread(fn, arg);
    pthread_mutex_unlock(&executor_lock);
    return r;
}

/* Called with the lock. */
static bool has_room(unsigned n)
{
    return committed() <= threads_max && n <= threads_max - committed();
}

bool executor_has_room(unsigned n)
{
    bool room;

    pthread_mutex_lock(&executor_lock);
    room = has_room(n);
    pthread_mutex_unlock(&executor_lock);
    return room;
}

int executor_reserve(unsigned n)
{
    int r = -EAGAIN;

    if (runtime_is_forked())
        return r;
    pthread_mutex_lock(&executor_lock);
    if (has_room(n)) {
        reserved += n;
        r = 0;
    }
    pthread_mutex_unlock(&executor_lock);
    return r;
}

void executor_unreserve(unsigned n)
{
    bool watch;

    pthread_mutex_lock(&executor_lock);
    assert(reserved >= n);
    reserved -= n;
    watch = work_find_threads();
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
}

int executor_start_reserved(void (*fn)(void *arg), void *arg)
{
    int r;

    pthread_mutex_lock(&executor_lock);
    assert(reserved > 0);
    r = start_promised(fn, arg);
    if (r < 0)
        reserved++; /* the caller's still */
    pthread_mutex_unlock(&executor_lock);
    return r;
}

int rv_runtime_configure(const struct rv_runtime_options *options)
{
    bool watch;

    if (options->size < sizeof(*options) ||
        (options->stack_size != 0 && options->stack_size < (size_t)16 * 1024))
        return error_bare(-EINVAL);
    pthread_mutex_lock(&executor_lock);
    threads_max = options->threads_max ? options->threads_max : THREADS_MAX;
    stack_size = options->stack_size ? options->stack_size : THREAD_STACK_SIZE;
    watch = work_find_threads();
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
    return 0;
}

void rv_runtime_stats(struct rv_runtime_stats *ret_stats)
{
    size_t timers = timer_count();

    pthread_mutex_lock(&executor_lock);
    *ret_stats = (struct rv_runtime_stats){
        .threads = threads, .idle = idle_count, .reserved = reserved, .timers = timers};
    pthread_mutex_unlock(&executor_lock);
}

/* Each wait is for what was there when it began, so it ends beside use. */
void rv_host_trim(void)
{
    uint64_t target;

    if (runtime_is_forked())
        return;
    pthread_mutex_lock(&executor_lock);
    target = retirements + retiring;
    while (retirements < target)
        pthread_cond_wait(&settled, &executor_lock);
    target = quits;
    while (any_idle()) {
        struct thread *thread = any_idle();

        thread->quit = true;
        give(thread, NULL, NULL);
        target++;
    }
    while (quits < target)
        pthread_cond_wait(&settled, &executor_lock);
    pthread_mutex_unlock(&executor_lock);
}
