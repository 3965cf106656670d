/* SPDX-License-Identifier: MIT */
#include "daemon/last_write.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "daemon/control/supervisor.h"
#include "daemon/loop/loop.h"

/* A disk that is well takes less. */
#define MOMENT NSEC_PER_SEC

struct last_write {
    struct supervisor *supervisor;
    struct loop_timer *timer;
    int64_t deadline;
    bool begun, ended, told;
    void (*done)(bool written, void *arg);
    void *arg;
};

static void end(struct last_write *write, bool written)
{
    if (write->ended)
        return;
    write->ended = true;
    loop_timer_disarm(write->timer);
    write->done(written, write->arg);
}

static void flushed(void *arg)
{
    end(arg, true);
}

static void timer_expired(void *arg)
{
    struct last_write *write = arg;
    int64_t left = write->deadline - clock_monotonic();
    char text[DURATION_TEXT_SIZE];

    if (left <= 0) {
        last_write_give_up(write);
        return;
    }
    if (!write->told)
        log_notice("waiting for the disk: the times of last runs are being written to %s; a second "
                   "signal ends this at once, shutdown-timeout in %s",
                   supervisor_last_runs_path(write->supervisor),
                   duration_format(left, text, sizeof(text)));
    write->told = true;
    loop_timer_arm(write->timer, left);
}

int last_write_create(struct loop *loop, struct supervisor *supervisor,
                      void (*done)(bool written, void *arg), void *arg,
                      struct last_write **ret_write)
{
    struct last_write *write = calloc(1, sizeof(*write));

    if (!write)
        return -ENOMEM;
    *write = (struct last_write){.supervisor = supervisor, .done = done, .arg = arg};
    if (loop_timer_create(loop, timer_expired, write, &write->timer) < 0) {
        free(write);
        return -ENOMEM;
    }
    *ret_write = write;
    return 0;
}

void last_write_begin(struct last_write *write, int64_t deadline)
{
    if (write->begun)
        return;
    write->begun = true;
    write->deadline = deadline;
    loop_timer_arm(write->timer, MOMENT);
    supervisor_flush(write->supervisor, flushed, write);
}

bool last_write_is_under_way(const struct last_write *write)
{
    return write->begun && !write->ended;
}

void last_write_give_up(struct last_write *write)
{
    if (write->ended)
        return;
    log_error("the times of last runs were not written to %s: its disk does not answer; after the "
              "next start tasks may run too soon or too late",
              supervisor_last_runs_path(write->supervisor));
    supervisor_give_up_flush(write->supervisor);
    end(write, false);
}

void last_write_destroy(struct last_write *write)
{
    if (!write)
        return;
    loop_timer_destroy(write->timer);
    free(write);
}
