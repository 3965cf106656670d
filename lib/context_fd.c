/* SPDX-License-Identifier: MIT */
/*
 * Contexts' descriptors, for event loops.
 *
 * Properties: a context's descriptor is readable once the context is done, in each process by what
 * that process does: a child of fork() has its own under the same number, and its parent sees
 * nothing of it.
 *
 * Operation: an eventfd, made when it is first asked for and written to when the context is done.
 * All are on a list, by which a child replaces them.
 *
 * Safety: a context's hook lock protects its `fd`; `lock`, which is held over a fork, the list, and
 * that what is on it is open. It is taken with the hook lock held.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/context.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list contexts = {&contexts, &contexts}; /* that have one */

/* Returns it or a negative errno. */
static int make_fd(struct rv_context *ctx)
{
    int fd = eventfd(atomic_load(&ctx->err) != 0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int rv_context_fd(struct rv_context *ctx)
{
    int fd;

    pthread_mutex_lock(&ctx->hook_lock);
    if (ctx->fd < 0) {
        /* Before the look at err, as for a hook. */
        atomic_store(&ctx->has_hooks, true);
        pthread_mutex_lock(&lock);
        ctx->fd = make_fd(ctx);
        if (ctx->fd >= 0)
            list_append(&contexts, &ctx->fd_list);
        pthread_mutex_unlock(&lock);
    }
    fd = ctx->fd;
    pthread_mutex_unlock(&ctx->hook_lock);
    return error_bare(fd);
}

void context_fd_done(struct rv_context *ctx)
{
    uint64_t one = 1;

    if (ctx->fd >= 0)
        (void)!write(ctx->fd, &one, sizeof(one));
}

void context_fd_close(struct rv_context *ctx)
{
    if (ctx->fd < 0)
        return;
    pthread_mutex_lock(&lock);
    list_remove(&ctx->fd_list);
    close(ctx->fd);
    pthread_mutex_unlock(&lock);
}

void context_fd_lock(void)
{
    pthread_mutex_lock(&lock);
}

void context_fd_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* The old one is closed first: there may be room for no more. */
static void replace(struct rv_context *ctx)
{
    int number = ctx->fd, fd;

    close(number);
    fd = make_fd(ctx);
    if (fd < 0)
        list_remove(&ctx->fd_list);
    else if (fd != number && dup3(fd, number, O_CLOEXEC) == number) {
        close(fd);
        fd = number;
    }
    ctx->fd = fd;
}

void context_fds_forked(void)
{
    struct rv_context *ctx, *next;

    LIST_FOREACH_SAFE (ctx, next, &contexts, fd_list)
        replace(ctx);
}
