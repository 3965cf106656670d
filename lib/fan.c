/* SPDX-License-Identifier: MIT */
/*
 * Fans.
 *
 * Properties: each item that was taken from `in` is given to fn once. `out` is closed exactly once
 * by the fan, after the last worker has ended, however it ended. The first error wins, and ends
 * the other workers.
 *
 * Operation: workers with reserved threads receive, call fn and send, each until `in` is closed
 * and empty or something fails; an error cancels the context that all of them receive and send
 * with. The caller waits for the last of them and closes `out`.
 *
 * Safety: the fan lives on the caller's stack; the lock protects `running`, `code` and `text`, the
 * rest does not change while workers run. A worker touches the fan for the last time in giving up
 * the lock in which it counts itself out, and the caller takes that lock before he returns. Buffers
 * for an item and a result are each worker's own.
 */
#include <errno.h>
#include <reeve/fan.h>
#include <stdlib.h>

#include "base/text.h"
#include "lib/channel.h"
#include "lib/internal.h"

struct fan {
    struct rv_context *ctx;
    struct rv_channel *in;
    struct rv_channel *out;
    rv_fan_function fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    unsigned running;
    int code; /* the first error */
    char text[RV_ERROR_TEXT_SIZE];
};

static void fail(struct fan *fan, int code)
{
    bool first;

    pthread_mutex_lock(&fan->lock);
    first = fan->code == 0;
    if (first) {
        fan->code = code;
        string_copy(fan->text, sizeof(fan->text), rv_error_text());
    }
    pthread_mutex_unlock(&fan->lock);
    if (first)
        context_cancel_text(fan->ctx, code, fan->text[0] ? fan->text : NULL);
}

static int send(struct fan *fan, const void *result)
{
    enum attempt r;

    if (!fan->out)
        return -EINVAL;
    r = channel_send(fan->ctx, fan->out, result);
    if (r == ATTEMPT_CANCELLED)
        return rv_context_err(fan->ctx);
    return r == ATTEMPT_CLOSED ? -EPIPE : 0;
}

/* Returns 0 at the end of `in`, else an error. */
static int drain(struct fan *fan, void *item, void *result)
{
    for (;;) {
        enum attempt received;
        int r;

        /* Of what ran on this thread before, or of an item that was fine after all. */
        rv_error_clear();
        received = channel_recv(fan->ctx, fan->in, item);
        if (received == ATTEMPT_CLOSED)
            return 0;
        if (received == ATTEMPT_CANCELLED)
            return rv_context_err(fan->ctx);
        r = fan->fn(fan->ctx, item, result, fan->arg);
        if (r == 0) {
            rv_error_clear();
            r = send(fan, result);
        }
        if (r < 0)
            return r;
    }
}

static void work(void *arg)
{
    struct fan *fan = arg;
    void *item = malloc(rv_channel_element_size(fan->in));
    void *result = fan->out ? malloc(rv_channel_element_size(fan->out)) : NULL;
    int r = item && (result || !fan->out) ? drain(fan, item, result) : -ENOMEM;

    if (r < 0)
        fail(fan, r);
    free(item);
    free(result);
    pthread_mutex_lock(&fan->lock);
    executor_retire();
    if (--fan->running == 0)
        pthread_cond_signal(&fan->all_done);
    pthread_mutex_unlock(&fan->lock);
}

static int run(struct fan *fan, unsigned workers)
{
    unsigned started = 0;
    int r = executor_reserve(workers);

    if (r < 0)
        return r;
    fan->running = workers;
    while (started < workers && executor_start_reserved(work, fan) == 0)
        started++;
    pthread_mutex_lock(&fan->lock);
    /* The kernel may refuse a thread that we would allow. Those that run do the work of all. */
    fan->running -= workers - started;
    while (fan->running > 0)
        pthread_cond_wait(&fan->all_done, &fan->lock);
    pthread_mutex_unlock(&fan->lock);
    executor_unreserve(workers - started);
    if (started == 0)
        return -EAGAIN;
    error_set_text(fan->text);
    return fan->code;
}

int rv_fan_run(struct rv_context *ctx, struct rv_channel *in, struct rv_channel *out,
               unsigned workers, rv_fan_function fn, void *arg)
{
    struct fan fan = {.in = in, .out = out, .fn = fn, .arg = arg};
    int r = rv_context_err(ctx);

    if (r == 0 && runtime_is_forked())
        r = runtime_refuse_fork();
    if (r == 0)
        r = workers > 0 ? rv_context_with_cancel(ctx, &fan.ctx) : -EINVAL;
    if (r == 0) {
        pthread_mutex_init(&fan.lock, NULL);
        pthread_cond_init(&fan.all_done, NULL);
        r = run(&fan, workers);
        pthread_mutex_destroy(&fan.lock);
        pthread_cond_destroy(&fan.all_done);
        rv_context_cancel(fan.ctx, 0, NULL);
        rv_context_unref(fan.ctx);
    }
    if (out)
        rv_channel_close(out);
    return r;
}
