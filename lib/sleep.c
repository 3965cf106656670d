/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and polling.
 *
 * Properties: both end soon after their context is done, and a sleep not before its time. A context
 * that is done wins over a descriptor that is ready.
 *
 * Operation: the context's hook claims a wait on the caller's stack and unparks its thread, which
 * sleeps in its parker until then, or polls with the parker's own descriptor among the others.
 *
 * Safety: as everywhere with hooks: the hook is taken off the context before the function returns,
 * and with it the last pointer to its stack.
 */
#include <errno.h>
#include <reeve/sleep.h>

#include "lib/internal.h"

int rv_sleep(struct rv_context *ctx, rv_duration d)
{
    struct context_hook hook = {0};
    struct wait wait;
    int err;

    wait_init(&wait);
    hook.wait = &wait;
    err = context_hook_add(ctx, &hook);
    if (err != 0)
        return error_bare(err);
    wait_for(&wait, deadline_after(d));
    context_hook_remove(ctx, &hook);
    return error_bare(wait_result(&wait) == WAIT_CANCEL ? rv_context_err(ctx) : 0);
}

int rv_poll(struct rv_context *ctx, int fd, short events, rv_duration timeout)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}};
    rv_time deadline = deadline_after(timeout);
    struct context_hook hook = {0};
    struct wait wait;
    int r;

    wait_init(&wait);
    hook.wait = &wait;
    r = context_hook_add(ctx, &hook);
    if (r != 0)
        return error_bare(r);
    /* To poll(2) it would be one that is never ready. */
    if (fd < 0) {
        context_hook_remove(ctx, &hook);
        return error_bare(-EBADF);
    }
    /* An unpark that was meant for something earlier ends a poll early. */
    do {
        r = parker_poll(wait.parker, fds, 1, deadline);
    } while (r == 0 && wait_result(&wait) == WAIT_PENDING &&
             (deadline == RV_NEVER || rv_now() < deadline));
    context_hook_remove(ctx, &hook);
    if (wait_result(&wait) == WAIT_CANCEL)
        return error_bare(rv_context_err(ctx));
    if (r > 0)
        return error_bare(fds[0].revents & POLLNVAL ? -EBADF : fds[0].revents);
    return error_bare(r);
}
