/* SPDX-License-Identifier: MIT */
/* libreeve: contexts, once, periodic functions. */
#include <pthread.h>
#include <reeve/context.h>
#include <reeve/once.h>
#include <reeve/ticker.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/runtime/reeve.h"

uint64_t reeve_contexts(const struct size *size)
{
    struct rv_context *parent, *child;
    struct rv_cancel *cancel_child;
    uint64_t cancelled = 0;

    check(rv_context_with_cancel(rv_context_background(), &parent, NULL), "rv_context_with_cancel");
    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        check(rv_context_with_cancel(parent, &child, &cancel_child), "rv_context_with_cancel");
        rv_context_cancel(cancel_child, 0, NULL);
        cancelled += rv_context_err(child) != 0;
        rv_context_unref(child);
    }
    end();
    rv_context_unref(parent);
    return cancelled;
}

/* A root with `workers` children that have `count` children each. */
uint64_t reeve_tree(const struct size *size)
{
    size_t total = size->workers + size->workers * size->count, made = 0;
    struct rv_context **contexts = calloc(total, sizeof(*contexts));
    struct rv_context *root;
    struct rv_cancel *cancel_root;
    uint64_t cancelled = 0;

    check(rv_context_with_cancel(rv_context_background(), &root, &cancel_root),
          "rv_context_with_cancel");
    for (unsigned i = 0; i < size->workers; i++) {
        struct rv_context *branch;

        check(rv_context_with_cancel(root, &branch, NULL), "rv_context_with_cancel");
        contexts[made++] = branch;
        for (uint64_t j = 0; j < size->count; j++)
            check(rv_context_with_cancel(branch, &contexts[made++], NULL),
                  "rv_context_with_cancel");
    }
    begin();
    rv_context_cancel(cancel_root, 0, NULL);
    end();
    for (size_t i = 0; i < total; i++) {
        cancelled += rv_context_err(contexts[i]) != 0;
        rv_context_unref(contexts[i]);
    }
    rv_context_unref(root);
    free(contexts);
    return cancelled;
}

struct crowd {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    _Atomic unsigned waiting, woken;
    unsigned size;
    pthread_mutex_t lock;
    pthread_cond_t all;
};

static void *wait_in_crowd(void *arg)
{
    struct crowd *crowd = arg;

    atomic_fetch_add(&crowd->waiting, 1);
    rv_context_wait(crowd->ctx);
    if (atomic_fetch_add(&crowd->woken, 1) + 1 == crowd->size) {
        pthread_mutex_lock(&crowd->lock);
        pthread_cond_signal(&crowd->all);
        pthread_mutex_unlock(&crowd->lock);
    }
    return NULL;
}

uint64_t reeve_waiters(const struct size *size)
{
    struct crowd crowd = {
        .size = size->workers, .lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
    pthread_t *threads = calloc(size->workers, sizeof(*threads));
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)64 * 1024);
    check(rv_context_with_cancel(rv_context_background(), &crowd.ctx, &crowd.cancel),
          "rv_context_with_cancel");
    for (unsigned i = 0; i < size->workers; i++)
        check(-pthread_create(&threads[i], &small, wait_in_crowd, &crowd), "pthread_create");
    while (atomic_load(&crowd.waiting) < size->workers)
        usleep(1000);
    usleep(50000); /* the last ones are on their way to sleep */
    begin();
    rv_context_cancel(crowd.cancel, 0, NULL);
    pthread_mutex_lock(&crowd.lock);
    while (atomic_load(&crowd.woken) < size->workers)
        pthread_cond_wait(&crowd.all, &crowd.lock);
    pthread_mutex_unlock(&crowd.lock);
    end();
    for (unsigned i = 0; i < size->workers; i++)
        pthread_join(threads[i], NULL);
    rv_context_unref(crowd.ctx);
    free(threads);
    return atomic_load(&crowd.woken);
}

uint64_t reeve_check(const struct size *size)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    uint64_t live = 0;

    check(rv_context_with_cancel(rv_context_background(), &ctx, &cancel), "rv_context_with_cancel");
    begin();
    for (uint64_t i = 0; i < size->count; i++)
        live += rv_context_err(ctx) == 0;
    end();
    rv_context_unref(ctx);
    return live;
}

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

uint64_t reeve_once(const struct size *size)
{
    struct rv_context *ctx = rv_context_background();
    struct rv_once once = RV_ONCE_INIT;
    uint64_t done = 0;

    check(rv_once_do(ctx, &once, nothing, NULL), "rv_once_do");
    begin();
    for (uint64_t i = 0; i < size->count; i++)
        done += rv_once_do(ctx, &once, nothing, NULL) == 0;
    end();
    rv_once_destroy(&once);
    return done;
}

/* Periodic ---------------------------------------------------------------- */

struct beat {
    struct rv_periodic *periodic;
    int64_t due;
};

/* Threads of the runtime run one beat at a time each; few ever compete for this. */
static struct histogram lateness;
static pthread_mutex_t lateness_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool counting;

static int beat(struct rv_context *ctx, void *arg)
{
    struct beat *self = arg;
    int64_t late = (int64_t)now_ns() - self->due;

    (void)ctx;
    /* As the spec said; the first run is at the delay, later ones on the grid. */
    self->due += RV_SECOND * (1 + late / RV_SECOND);
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&lateness_lock);
    histogram_add(&lateness, late > 0 ? (uint64_t)late : 0);
    pthread_mutex_unlock(&lateness_lock);
    return 0;
}

/* `count` functions of one second for `workers` seconds; the result is how many there are. */
uint64_t reeve_periodic(const struct size *size)
{
    struct beat *beats = calloc(size->count, sizeof(*beats));
    uint64_t memory = resident_bytes(), cpu;

    for (uint64_t i = 0; i < size->count; i++) {
        /* All are made before the first is due. */
        struct rv_periodic_spec spec = {
            .size = sizeof(spec),
            .interval = RV_SECOND,
            .delay = RV_SECOND + (rv_duration)(RV_SECOND / size->count * i),
        };

        beats[i].due = (int64_t)now_ns() + spec.delay;
        check(
            rv_periodic_create(rv_context_background(), &spec, beat, &beats[i], &beats[i].periodic),
            "rv_periodic_create");
    }
    usleep(1500000);
    memory = resident_bytes() - memory;
    cpu = cpu_ns();
    atomic_store(&counting, true);
    begin();
    sleep(size->workers);
    end();
    atomic_store(&counting, false);
    report("cpu", (double)(cpu_ns() - cpu) / 1e9);
    report("bytes", (double)memory);
    report("p99", (double)histogram_percentile(&lateness, 0.99) / 1e9);
    report("beats", (double)lateness.count);
    for (uint64_t i = 0; i < size->count; i++)
        rv_periodic_destroy(beats[i].periodic);
    free(beats);
    return size->count;
}
