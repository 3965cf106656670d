/* SPDX-License-Identifier: MIT */
/* libreeve: what is to be nothing. Wake-ups while nothing is due, allocations a job, threads that
 * are left after all is drained. The result is their sum. */
#include <dirent.h>
#include <pthread.h>
#include <reeve/channel.h>
#include <reeve/host.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/ticker.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/runtime/reeve.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

static _Atomic uint64_t allocations;

/* The library's calls come here as well. */
void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, size);
}

/* Of all threads but the main one, which sleeps and wakes to look. */
static uint64_t switches(unsigned *ret_threads)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    uint64_t sum = 0;

    *ret_threads = 0;
    while (tasks && (entry = readdir(tasks))) {
        char path[64], line[128];
        unsigned long count;
        FILE *file;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        ++*ret_threads;
        snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", entry->d_name);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1 ||
                sscanf(line, "nonvoluntary_ctxt_switches: %lu", &count) == 1)
                sum += count;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void *receive(void *arg)
{
    rv_channel_recv(rv_context_background(), arg, NULL);
    return NULL;
}

static uint64_t allocations_of(struct rv_pool *pool, uint64_t jobs)
{
    uint64_t before;

    /* Memory that workers take when they first claim several is not a job's. */
    for (int round = 0; round < 2; round++) {
        before = atomic_load(&allocations);
        for (uint64_t i = 0; i < jobs; i++)
            check(rv_pool_submit(rv_context_background(), pool, nothing, NULL), "rv_pool_submit");
    }
    return atomic_load(&allocations) - before;
}

uint64_t reeve_idle(const struct size *size)
{
    struct rv_periodic_spec hourly = {
        .size = sizeof(hourly), .interval = RV_HOUR, .delay = RV_HOUR};
    struct rv_pool_options options = {.size = sizeof(options), .workers = 4, .timeout = RV_FOREVER};
    struct rv_context *ctx = rv_context_background();
    struct rv_periodic *periodic;
    struct rv_runtime_stats stats;
    struct rv_channel *channel;
    struct rv_pool *pool;
    uint64_t woken, allocated;
    unsigned threads;
    pthread_t receiver;

    check(rv_pool_create(ctx, &options, &pool), "rv_pool_create");
    check(rv_channel_create(8, 0, &channel), "rv_channel_create");
    check(rv_periodic_create(ctx, &hourly, nothing, NULL, &periodic), "rv_periodic_create");
    check(-pthread_create(&receiver, NULL, receive, channel), "pthread_create");
    allocated = allocations_of(pool, size->count);
    usleep(100000);
    woken = switches(&threads);
    begin();
    sleep(size->workers);
    end();
    woken = switches(&threads) - woken;
    report("threads", threads);
    report("wakeups", (double)woken);
    report("allocations", (double)allocated);
    rv_channel_close(channel);
    pthread_join(receiver, NULL);
    rv_periodic_destroy(periodic);
    rv_pool_destroy(pool);
    rv_runtime_stats(&stats);
    report("busy_after_drain", stats.threads - stats.idle);
    woken += stats.threads - stats.idle;
    rv_host_trim();
    rv_runtime_stats(&stats);
    report("left_after_trim", stats.threads);
    rv_channel_unref(channel);
    return woken + allocated + stats.threads;
}
