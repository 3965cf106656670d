/* SPDX-License-Identifier: MIT */
/*
 * Work that is queued for the runtime's threads.
 *
 * Properties: queued work waits for a thread and is never lost; its owner may take it back until it
 * has begun. Work that ends something (a context's functions, the end of a periodic function) finds
 * a thread even when all others wait for that end. Nothing is polled while no thread can be had
 * but by the end of what the others do.
 *
 * Operation: queued work is taken by idle threads; further threads are added for it at once up to
 * the number of processors, and then one each millisecond in which nothing was taken from the
 * queue: so short work does not bring up hundreds of threads, and work that blocks does not hold up
 * the rest for long. At the limit of threads nobody looks again: a thread that ends what it does
 * looks itself. Where the kernel refuses a thread, the pauses double up to a tenth of a second.
 *
 * Ending work is taken before all other, and one thread, which is made before the first of it can
 * be queued and is not counted, does nothing else: the ender. It is asked first; while it is at
 * work, further ending work gets other threads if there are any, and else waits for it.
 *
 * Safety: executor_lock protects everything here. The thread that takes work off its list, to run
 * it or to take it back, has the lock, so only one does.
 */
#include <errno.h>

#include "base/macro.h"
#include "base/thread.h"
#include "lib/executor.h"
#include "lib/internal.h"

#define STALL     RV_MILLISECOND
#define STALL_MAX (100 * RV_MILLISECOND)

static struct list queue = {&queue, &queue};
static struct list ending = {&ending, &ending}; /* in front of the queue */
/* In both; threads that serve them; of these, those that have not looked yet, and those of them
 * that have their thread. */
static unsigned queued, workers, arriving, given;
static uint64_t taken; /* ever */

static enum { ENDER_NONE, ENDER_IDLE, ENDER_BUSY } ender;
static pthread_cond_t ender_asked = PTHREAD_COND_INITIALIZER;

static void check_stall(struct timer *timer);
static struct timer stall_timer = {.fn = check_stall};
static uint64_t taken_at_check;
static rv_duration stall_pause = STALL;
static bool stall_watched;

static __thread bool gathering; /* this thread's work is only queued, until it lets go */

static struct work *take_from(struct list *list)
{
    struct work *work;

    if (list_is_empty(list))
        return NULL;
    work = list_entry(list->next, struct work, list);
    list_remove(&work->list);
    work->queued = false;
    queued--;
    taken++;
    return work;
}

/* Gives the lock up meanwhile. After fn, work may be gone. */
static void run(struct work *work)
{
    pthread_mutex_unlock(&executor_lock);
    work->fn(work);
    pthread_mutex_lock(&executor_lock);
    executor_settle();
}

/* Called by one of the workers, which it no longer is afterwards. Work that is queued in a child of
 * fork() is its parent's: a function may return there, and the next one must not run twice. */
static void serve(void)
{
    struct work *work;

    while (!runtime_is_forked() && ((work = take_from(&ending)) || (work = take_from(&queue))))
        run(work);
    workers--;
}

void work_run_all(void)
{
    /* The thread was free to others already, and may have been promised to them. */
    if (queued == 0 || executor_is_wanted())
        return;
    workers++;
    serve();
}

unsigned work_coming_for_nothing(void)
{
    return arriving > queued ? MIN(arriving - queued, given) : 0;
}

static void serve_as_function(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&executor_lock);
    arriving--;
    given--;
    if (executor_is_wanted())
        workers--;
    else
        serve();
    /* Until it idles there is nothing that it would do: it is free already. */
    executor_retire_locked();
    pthread_mutex_unlock(&executor_lock);
}

/* Called with the lock. */
static bool add_worker(void)
{
    /* Counted first: starting may give the lock up. */
    workers++;
    arriving++;
    if (executor_start_locked(serve_as_function, NULL) == 0) {
        given++;
        return true;
    }
    workers--;
    arriving--;
    return false;
}

/* Stalls ------------------------------------------------------------------ */

/* Without the timer's thread, the next work to be queued tries again, and what is queued waits for
 * a thread that becomes free. Ending work has the timer's thread from the start. */
static void watch_stall(rv_duration pause)
{
    if (timer_arm(&stall_timer, rv_now() + pause) == 0)
        return;
    pthread_mutex_lock(&executor_lock);
    stall_watched = false;
    pthread_mutex_unlock(&executor_lock);
}

static void check_stall(struct timer *timer)
{
    bool stalled, more;
    rv_duration pause;

    (void)timer;
    pthread_mutex_lock(&executor_lock);
    stalled = queued > 0 && taken == taken_at_check;
    taken_at_check = taken;
    if (stalled && !add_worker() && !executor_is_exhausted())
        stall_pause = MIN(stall_pause * 2, STALL_MAX); /* the kernel has no thread for us */
    else
        stall_pause = STALL;
    more = queued > 0 && !executor_is_exhausted();
    stall_watched = more;
    pause = stall_pause;
    pthread_mutex_unlock(&executor_lock);
    if (more)
        watch_stall(pause);
}

/* Called with the lock: threads for what is queued. Returns whether to watch for a stall. */
bool work_find_threads(void)
{
    bool found = false, watch;

    while (workers < processor_count() && arriving < queued && add_worker())
        found = true;
    watch = queued > 0 && !found && !stall_watched && !executor_is_exhausted();
    if (watch) {
        stall_watched = true;
        taken_at_check = taken;
    }
    return watch;
}

void work_watch(void)
{
    watch_stall(STALL);
}

/* Queueing ---------------------------------------------------------------- */

static void enqueue(struct list *list, struct work *work)
{
    list_append(list, &work->list);
    work->queued = true;
    queued++;
}

void executor_queue(struct work *work)
{
    bool watch;

    pthread_mutex_lock(&executor_lock);
    enqueue(&queue, work);
    watch = !gathering && work_find_threads();
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
}

bool executor_take_back(struct work *work)
{
    bool mine;

    pthread_mutex_lock(&executor_lock);
    mine = work->queued;
    if (mine) {
        list_remove(&work->list);
        work->queued = false;
        queued--;
    }
    pthread_mutex_unlock(&executor_lock);
    return mine;
}

void executor_gather(void)
{
    gathering = true;
}

void executor_let_go(void)
{
    bool watch;

    gathering = false;
    pthread_mutex_lock(&executor_lock);
    watch = work_find_threads();
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
}

/* The ender --------------------------------------------------------------- */

static void *end_things(void *arg)
{
    struct work *work;

    (void)arg;
    hosted_thread_start();
    pthread_mutex_lock(&executor_lock);
    for (;;) {
        while (!runtime_is_forked() && (work = take_from(&ending)))
            run(work);
        ender = ENDER_IDLE;
        while (ender == ENDER_IDLE)
            pthread_cond_wait(&ender_asked, &executor_lock);
    }
    return NULL;
}

bool work_has_thread(void)
{
    return ender != ENDER_NONE;
}

int executor_prepare_ending(void)
{
    int r;

    if (runtime_is_forked())
        return -EAGAIN;
    r = timer_prepare();
    if (r < 0)
        return r;
    pthread_mutex_lock(&executor_lock);
    if (ender == ENDER_NONE) {
        r = thread_start(end_things, NULL, executor_stack_size(), NULL);
        if (r == 0)
            ender = ENDER_BUSY; /* until it first waits */
    }
    pthread_mutex_unlock(&executor_lock);
    return r;
}

void executor_queue_ending(struct work *work)
{
    bool watch = false;

    pthread_mutex_lock(&executor_lock);
    enqueue(&ending, work);
    if (ender == ENDER_IDLE) {
        ender = ENDER_BUSY;
        pthread_cond_signal(&ender_asked);
    } else if (!gathering) {
        watch = work_find_threads();
    }
    pthread_mutex_unlock(&executor_lock);
    if (watch)
        work_watch();
}
