/* SPDX-License-Identifier: MIT */
/*
 * The threads of the runtime: made when needed, kept for reuse, at most threads_max.
 *
 * Properties: executor_start() runs at once or fails; queued work waits for a thread and is never
 * lost; reserved threads can always be had by who reserved them. A thread whose function has called
 * executor_retire() counts as free from then on: whoever waits for the end of a pool finds room for
 * the next. An idle executor has no wake-ups.
 *
 * Operation: an idle thread waits on a condition of its own with the function that it is given
 * next. Queued work is taken by idle threads; further threads are added for it at once up to the
 * number of processors, and then one each millisecond in which nothing was taken from the queue: so
 * short work does not bring up hundreds of threads, and work that blocks does not hold up the rest
 * for long.
 *
 * Safety: `lock` protects everything here. A thread is idle (on the list), busy, or retiring, which
 * lasts only until its function returns: after executor_retire() it takes no lock but this one, so
 * who needs a thread at the limit may wait for it, whatever locks he holds. Whoever takes a thread
 * off the idle list under the lock owns its next run.
 */
#include <assert.h>
#include <errno.h>
#include <reeve/runtime.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/internal.h"

#define STALL RV_MILLISECOND

struct thread {
    struct list list; /* in idle_threads */
    pthread_cond_t given;
    void (*fn)(void *arg);
    void *arg;
    bool quit;
    bool retiring;
};

/* Held for some tens of nanoseconds: who finds it taken looks again before sleeping. */
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t settled =
    PTHREAD_COND_INITIALIZER; /* a thread has quit, or is no longer retiring */
static struct list idle_threads = {&idle_threads, &idle_threads};
static struct list queue = {&queue, &queue};
static unsigned threads, idle_count, retiring, reserved, queue_workers, threads_max = 256;
static size_t stack_size = 256 * 1024;
static unsigned queued, arriving; /* in the queue; workers for it that have not looked yet */
static uint64_t taken;            /* from it, ever */
static __thread struct thread *self_thread; /* NULL where the thread is not ours */

static void check_stall(struct timer *timer);
static struct timer stall_timer = {.fn = check_stall, .keeps_place = true}; /* see timer.c */
static uint64_t taken_at_check;
static bool stall_watched;

static struct work *take_work(void)
{
    struct work *work;

    if (list_is_empty(&queue))
        return NULL;
    work = list_entry(queue.next, struct work, list);
    list_remove(&work->list);
    queued--;
    taken++;
    return work;
}

/* Runs queued work until there is none. Called with the lock, which it gives up meanwhile, and
 * counted among the queue's workers by whoever sent it here. */
static void drain_queue(void)
{
    struct work *work;

    while ((work = take_work())) {
        pthread_mutex_unlock(&lock);
        work->fn(work);
        pthread_mutex_lock(&lock);
    }
    queue_workers--;
}

/* Called with the lock. Returns false when the thread is to end. */
static bool wait_idle(struct thread *self)
{
    list_prepend(&idle_threads, &self->list);
    idle_count++;
    while (!self->fn && !self->quit)
        pthread_cond_wait(&self->given, &lock);
    return !self->quit;
}

static void run_given(struct thread *self)
{
    void (*fn)(void *arg) = self->fn;
    void *arg = self->arg;

    self->fn = NULL;
    pthread_mutex_unlock(&lock);
    fn(arg);
    pthread_mutex_lock(&lock);
    if (self->retiring) {
        self->retiring = false;
        retiring--;
        pthread_cond_broadcast(&settled);
    }
}

void executor_retire(void)
{
    /* Where a thread could not be had, callers run their functions themselves. */
    if (!self_thread)
        return;
    pthread_mutex_lock(&lock);
    if (!self_thread->retiring)
        retiring++;
    self_thread->retiring = true;
    pthread_mutex_unlock(&lock);
}

/* Called with the lock: threads that work, or are promised to work. */
static unsigned committed(void)
{
    return threads - idle_count - retiring + reserved;
}

static void drain_as_function(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    arriving--;
    drain_queue();
    pthread_mutex_unlock(&lock);
}

static void *run(void *arg)
{
    struct thread *self = arg;

    self_thread = self;
    pthread_mutex_lock(&lock);
    do {
        run_given(self);
        /* It was free to others already, who may have been promised it. */
        if (!list_is_empty(&queue) && committed() <= threads_max) {
            queue_workers++;
            drain_queue();
        }
    } while (wait_idle(self));
    threads--;
    pthread_cond_broadcast(&settled);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&self->given);
    free(self);
    return NULL;
}

/* Called with the lock. */
static int make_thread(void (*fn)(void *arg), void *arg)
{
    struct thread *self = calloc(1, sizeof(*self));
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t id;
    int r;

    if (!self)
        return -EAGAIN;
    list_init(&self->list);
    pthread_cond_init(&self->given, NULL);
    self->fn = fn;
    self->arg = arg;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_size);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&id, &attributes, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r != 0) {
        pthread_cond_destroy(&self->given);
        free(self);
        return -EAGAIN;
    }
    threads++;
    return 0;
}

/* Called with the lock, which it may give up to wait for a thread that retires; the thread that is
 * wanted is among the reserved ones, and no longer is afterwards. */
static int start_promised(void (*fn)(void *arg), void *arg)
{
    struct thread *thread;

    while (idle_count == 0 && threads >= threads_max && retiring > 0)
        pthread_cond_wait(&settled, &lock);
    reserved--;
    if (idle_count == 0)
        return threads < threads_max ? make_thread(fn, arg) : -EAGAIN;
    thread = list_entry(idle_threads.next, struct thread, list);
    list_remove(&thread->list);
    idle_count--;
    thread->fn = fn;
    thread->arg = arg;
    pthread_cond_signal(&thread->given);
    return 0;
}

/* Called with the lock, as start_promised(). Threads that are promised to others stay free. */
static int start(void (*fn)(void *arg), void *arg)
{
    if (committed() >= threads_max)
        return -EAGAIN;
    reserved++;
    return start_promised(fn, arg);
}

int executor_start(void (*fn)(void *arg), void *arg)
{
    int r;

    pthread_mutex_lock(&lock);
    r = start(fn, arg);
    pthread_mutex_unlock(&lock);
    return r;
}

int executor_reserve(unsigned n)
{
    int r = -EAGAIN;

    pthread_mutex_lock(&lock);
    if (committed() + n <= threads_max) {
        reserved += n;
        r = 0;
    }
    pthread_mutex_unlock(&lock);
    return r;
}

void executor_unreserve(unsigned n)
{
    pthread_mutex_lock(&lock);
    assert(reserved >= n);
    reserved -= n;
    pthread_mutex_unlock(&lock);
}

int executor_start_reserved(void (*fn)(void *arg), void *arg)
{
    int r;

    pthread_mutex_lock(&lock);
    assert(reserved > 0);
    r = start_promised(fn, arg);
    if (r < 0)
        reserved++; /* the caller's still */
    pthread_mutex_unlock(&lock);
    return r;
}

static unsigned processors(void)
{
    static _Atomic long known;

    if (known == 0)
        known = sysconf(_SC_NPROCESSORS_ONLN);
    return known > 0 ? (unsigned)known : 1;
}

/* Called with the lock. */
static bool add_queue_worker(void)
{
    /* Counted first: starting may give the lock up. */
    queue_workers++;
    arriving++;
    if (start(drain_as_function, NULL) == 0)
        return true;
    queue_workers--;
    arriving--;
    return false;
}

/* Without the timer's thread, the next work to be queued tries again; what is queued waits for a
 * thread that becomes free. */
static void watch_stall(void)
{
    if (timer_arm(&stall_timer, rv_now() + STALL) == 0)
        return;
    pthread_mutex_lock(&lock);
    stall_watched = false;
    pthread_mutex_unlock(&lock);
}

static void check_stall(struct timer *timer)
{
    bool stalled, more;

    (void)timer;
    pthread_mutex_lock(&lock);
    more = !list_is_empty(&queue);
    stalled = more && taken == taken_at_check;
    taken_at_check = taken;
    if (stalled)
        add_queue_worker();
    stall_watched = more;
    pthread_mutex_unlock(&lock);
    if (more)
        watch_stall();
}

static __thread bool gathering; /* this thread's work is only queued, until it lets go */

/* Called with the lock: threads for what is queued. Returns whether to watch for a stall. */
static bool serve_queue(void)
{
    bool served = false, watch;

    while (queue_workers < processors() && arriving < queued && add_queue_worker())
        served = true;
    watch = !served && !stall_watched;
    if (watch) {
        stall_watched = true;
        taken_at_check = taken;
    }
    return watch;
}

void executor_queue(struct work *work)
{
    bool watch;

    pthread_mutex_lock(&lock);
    list_append(&queue, &work->list);
    queued++;
    watch = !gathering && serve_queue();
    pthread_mutex_unlock(&lock);
    if (watch)
        watch_stall();
}

void executor_gather(void)
{
    gathering = true;
}

void executor_let_go(void)
{
    bool watch;

    gathering = false;
    pthread_mutex_lock(&lock);
    watch = queued > 0 && serve_queue();
    pthread_mutex_unlock(&lock);
    if (watch)
        watch_stall();
}

int rv_runtime_configure(const struct rv_runtime_options *options)
{
    if (options->size < sizeof(*options) ||
        (options->stack_size != 0 && options->stack_size < (size_t)16 * 1024))
        return -EINVAL;
    pthread_mutex_lock(&lock);
    threads_max = options->threads_max ? options->threads_max : 256;
    stack_size = options->stack_size ? options->stack_size : (size_t)256 * 1024;
    pthread_mutex_unlock(&lock);
    return 0;
}

void rv_runtime_stats(struct rv_runtime_stats *ret_stats)
{
    size_t timers = timer_count();

    pthread_mutex_lock(&lock);
    *ret_stats = (struct rv_runtime_stats){
        .threads = threads, .idle = idle_count, .reserved = reserved, .timers = timers};
    pthread_mutex_unlock(&lock);
}

void rv_runtime_trim(void)
{
    unsigned target;

    pthread_mutex_lock(&lock);
    while (retiring > 0)
        pthread_cond_wait(&settled, &lock);
    target = threads - idle_count;
    while (!list_is_empty(&idle_threads)) {
        struct thread *thread = list_entry(idle_threads.next, struct thread, list);

        list_remove(&thread->list);
        idle_count--;
        thread->quit = true;
        pthread_cond_signal(&thread->given);
    }
    while (threads > target)
        pthread_cond_wait(&settled, &lock);
    pthread_mutex_unlock(&lock);
}
