/* SPDX-License-Identifier: MIT */
/* libuv's thread pool. Its queue has no bound either: the loop that submits keeps `capacity`
 * requests in flight, each submitted again from its completion, which is what a program on libuv
 * does. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "bench/runtime/program.h"

static _Atomic uint64_t done;
static uint64_t left;

static void job(uv_work_t *request)
{
    atomic_fetch_add_explicit(&done, (uintptr_t)request->data, memory_order_relaxed);
}

static void submit(uv_work_t *request);

static void after(uv_work_t *request, int status)
{
    (void)status;
    submit(request);
}

static void submit(uv_work_t *request)
{
    if (left == 0)
        return;
    request->data = (void *)(uintptr_t)--left;
    check(uv_queue_work(uv_default_loop(), request, job, after), "uv_queue_work");
}

static uint64_t uv_pool(const struct size *size)
{
    uv_work_t *requests = calloc(size->capacity, sizeof(*requests));
    char workers[16];

    snprintf(workers, sizeof(workers), "%u", size->workers);
    setenv("UV_THREADPOOL_SIZE", workers, 1);
    left = size->count;
    begin();
    for (size_t i = 0; i < size->capacity; i++)
        submit(&requests[i]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    end();
    free(requests);
    return atomic_load(&done);
}

const struct work works[] = {{"pool", uv_pool}, {NULL, NULL}};
