/* SPDX-License-Identifier: MIT */
/*
 * Work that may block, beside the loop.
 *
 * Properties: the loop never waits for the work. `done` is called once for each start, in the loop. Each
 * struct loop_background runs at most one piece of work at a time.
 *
 * Operation: each piece of work has a thread of its own, which writes to an eventfd as its last act. The
 * loop reads the eventfd, joins the thread and calls `done`. Work is rare, so there is no pool.
 *
 * Safety: `result` is written by the thread before it ends and read after it was joined; `busy` belongs
 * to the loop's thread. The thread is joined before the eventfd is closed.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/loop/loop.h"

/* Enough for system calls with a few paths on the stack. */
#define STACK_SIZE ((size_t)256 * 1024)

struct loop_background {
    int fd;
    struct loop_io *io;
    loop_work_fn work;
    loop_done_fn done;
    void *arg;
    pthread_t thread;
    bool busy;
    int result;
};

static void *work_through(void *arg)
{
    struct loop_background *background = arg;
    uint64_t one = 1;

    background->result = background->work(background->arg);
    /* It cannot fail: the counter is far from full. */
    (void)write_all(background->fd, &one, sizeof(one));
    return NULL;
}

static void end(struct loop_background *background)
{
    pthread_join(background->thread, NULL);
    background->busy = false;
    background->done(background->result, background->arg);
}

static void ended(int fd, unsigned events _unused_, void *arg)
{
    struct loop_background *background = arg;
    uint64_t count;

    /* If the read fails, the eventfd stays readable and the loop calls again. */
    if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) && background->busy)
        end(background);
}

int loop_background_create(struct loop *loop, loop_work_fn work, loop_done_fn done, void *arg,
                           struct loop_background **ret_background)
{
    struct loop_background *background = calloc(1, sizeof(*background));
    int r;

    if (!background)
        return -ENOMEM;
    *background = (struct loop_background){.work = work, .done = done, .arg = arg};
    background->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = background->fd < 0
            ? -errno
            : loop_io_create(loop, background->fd, LOOP_READ, ended, background, &background->io);
    if (r < 0) {
        loop_background_destroy(background);
        return r;
    }
    *ret_background = background;
    return 0;
}

/* The loop reads signals from a descriptor, so no other thread may take one. */
static int start_thread(struct loop_background *background, const pthread_attr_t *attributes)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&background->thread, attributes, work_through, background);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

int loop_background_start(struct loop_background *background)
{
    pthread_attr_t attributes;
    int r;

    assert(!background->busy);
    r = -pthread_attr_init(&attributes);
    if (r < 0)
        return r;
    r = -pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (r == 0)
        r = start_thread(background, &attributes);
    pthread_attr_destroy(&attributes);
    background->busy = r == 0;
    return r;
}

bool loop_background_is_busy(const struct loop_background *background)
{
    return background->busy;
}

void loop_background_wait(struct loop_background *background)
{
    if (background->busy)
        end(background);
}

/* Its eventfd stays open: the thread may yet write to it. */
void loop_background_abandon(struct loop_background *background)
{
    if (!background->busy) {
        loop_background_destroy(background);
        return;
    }
    pthread_detach(background->thread);
    loop_io_destroy(TAKE_PTR(background->io));
}

void loop_background_destroy(struct loop_background *background)
{
    if (!background)
        return;
    assert(!background->busy);
    loop_io_destroy(background->io);
    if (background->fd >= 0)
        close(background->fd);
    free(background);
}
