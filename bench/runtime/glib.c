/* SPDX-License-Identifier: MIT */
/* GLib's thread pool. Its queue has no bound; the submitter holds it at the capacity itself, by
 * waiting for half of it when it is full. */
#include <glib.h>
#include <stdatomic.h>

#include "bench/runtime/program.h"

static _Atomic uint64_t done, sum;
static _Atomic uint64_t awaited; /* wake the submitter at so many; 0 for not */
static GMutex lock;
static GCond room;

static void job(gpointer data, gpointer arg)
{
    uint64_t now = atomic_fetch_add(&done, 1) + 1;

    atomic_fetch_add(&sum, GPOINTER_TO_SIZE(data) - 1);
    (void)arg;
    if (now != atomic_load(&awaited))
        return;
    g_mutex_lock(&lock);
    g_cond_signal(&room);
    g_mutex_unlock(&lock);
}

static void wait_for(uint64_t count)
{
    g_mutex_lock(&lock);
    atomic_store(&awaited, count);
    while (atomic_load(&done) < count)
        g_cond_wait(&room, &lock);
    atomic_store(&awaited, 0);
    g_mutex_unlock(&lock);
}

static uint64_t glib_pool(const struct size *size)
{
    GThreadPool *pool = g_thread_pool_new(job, NULL, (gint)size->workers, TRUE, NULL);

    if (!pool)
        return 0;
    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        if (i - atomic_load(&done) >= size->capacity)
            wait_for(i - size->capacity / 2);
        /* It takes no NULL. */
        g_thread_pool_push(pool, GSIZE_TO_POINTER(i + 1), NULL);
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    end();
    return atomic_load(&sum);
}

const struct work works[] = {{"pool", glib_pool}, {NULL, NULL}};
