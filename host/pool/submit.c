/* SPDX-License-Identifier: MIT */
#include "host/pool/submit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "host/pool/jobs.h"
#include "host/process/forked.h"

void submit_open(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    module->pools_open = true;
    pthread_mutex_unlock(&module->lock);
}

void submit_close(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    module->pools_open = false;
    while (module->submitting > 0)
        pthread_cond_wait(&module->submitted, &module->lock);
    pthread_mutex_unlock(&module->lock);
}

/* Returns the runner, which stays until give_back(); or NULL, and why as an error with a text. */
static struct pool_runner *borrow(struct host_module *module, size_t i, int *ret_error)
{
    struct pool_runner *runner = NULL;
    bool over;

    pthread_mutex_lock(&module->lock);
    over = module->stop_asked || module->finishing;
    if (module->pools_open) {
        runner = module->pool_runners[i];
        module->submitting++;
    }
    pthread_mutex_unlock(&module->lock);
    if (!runner && over)
        *ret_error = rv_fail_text(-EPIPE, "the module stops");
    else if (!runner)
        *ret_error = rv_fail_text(
            -EAGAIN, "the pools of module %s take jobs once init or reload has returned",
            module->name);
    return runner;
}

static void give_back(struct host_module *module)
{
    pthread_mutex_lock(&module->lock);
    if (--module->submitting == 0)
        pthread_cond_broadcast(&module->submitted);
    pthread_mutex_unlock(&module->lock);
}

int submit_own(struct rv_context *ctx, const char *pool, const void *data, size_t size)
{
    struct host_module *module = module_of(ctx);
    struct pool_runner *runner;
    int r = 0;

    if (forked_is())
        return rv_fail_text(-ENOTSUP, "a process that the module has forked has no pools");
    if (size > RV_JOB_DATA_MAX)
        return rv_fail_text(-EMSGSIZE, "the data of a job has at most %d bytes", RV_JOB_DATA_MAX);
    for (size_t i = 0; module && i < module->code.pool_count; i++) {
        if (strcmp(module->code.pools[i].name, pool) != 0)
            continue;
        runner = borrow(module, i, &r);
        if (runner) {
            r = jobs_submit_wait(ctx, runner, data, size);
            give_back(module);
        }
        return r;
    }
    return rv_fail(-ENOENT, "no pool %s", pool);
}

void submit_request(struct host_module *module, const char *pool, uint64_t request,
                    rv_duration timeout, const void *data, size_t size)
{
    struct pool_runner *found = NULL;
    char waits[MODULE_WAITS_SIZE];
    bool ready;

    pthread_mutex_lock(&module->lock);
    ready = module->ready;
    string_copy(waits, sizeof(waits), module->operation.waits);
    for (size_t i = 0; ready && i < module->code.pool_count; i++)
        if (strcmp(jobs_name(module->pool_runners[i]), pool) == 0)
            found = module->pool_runners[i];
    if (found)
        jobs_submit(found, request, timeout, data, size);
    pthread_mutex_unlock(&module->lock);
    if (!ready)
        module_refuse_for_now(module, request, 0, waits);
    else if (!found)
        module_refuse_unknown(module, request, 0, "pool", pool);
}
