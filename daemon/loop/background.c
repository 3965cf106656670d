/* SPDX-License-Identifier: MIT */
/*
 * Work that may block, beside the loop.
 *
 * Properties: the loop never waits for the work. `done` is called once for each start, in the loop.
 * Each struct loop_background runs at most one piece of work at a time.
 *
 * Operation: each piece of work has a detached thread of its own, which writes to an eventfd as its
 * last act. The loop reads the eventfd and calls `done`. It does not join the thread: one that has
 * lost its processor just before its end would hold up the loop.
 *
 * Safety: `result` is written by the thread before it writes to the eventfd and read after the
 * eventfd was read; after its write the thread uses nothing of ours. `busy` belongs to the loop's
 * thread.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/fd.h"
#include "base/thread.h"
#include "daemon/loop/loop.h"

struct loop_background {
    int fd;
    struct loop_io *io;
    loop_work_fn work;
    loop_done_fn done;
    void *arg;
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

static void ended(int fd, unsigned events _unused_, void *arg)
{
    struct loop_background *background = arg;
    uint64_t count;

    /* If the read fails, the eventfd stays readable and the loop calls again. */
    if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return;
    background->busy = false;
    background->done(background->result, background->arg);
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

int loop_background_start(struct loop_background *background)
{
    int r;

    assert(!background->busy);
    /* The loop reads signals from a descriptor: such a thread takes none. */
    r = thread_start(work_through, background, THREAD_STACK_SIZE, NULL);
    background->busy = r == 0;
    return r;
}

bool loop_background_is_busy(const struct loop_background *background)
{
    return background->busy;
}

int loop_background_fd(const struct loop_background *background)
{
    return background->fd;
}

bool loop_background_wait(struct loop_background *background, int64_t ns)
{
    int64_t deadline = ns == INT64_MAX ? ns : clock_monotonic() + ns;

    while (background->busy) {
        struct pollfd poller = {.fd = background->fd, .events = POLLIN};
        int64_t left = deadline - clock_monotonic();
        int64_t ms = left <= 0 ? 0 : MIN(left / NSEC_PER_MSEC + 1, (int64_t)INT_MAX);

        if (poll(&poller, 1, (int)ms) > 0)
            ended(background->fd, LOOP_READ, background);
        else if (ms == 0)
            return false;
    }
    return true;
}

/* Its eventfd stays open: the thread may yet write to it. */
void loop_background_abandon(struct loop_background *background)
{
    if (!background->busy) {
        loop_background_destroy(background);
        return;
    }
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
