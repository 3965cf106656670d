/* SPDX-License-Identifier: MIT */
#include "daemon/control/zone_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/units.h"

#define FOLDER "/etc"
#define NAME   "localtime"

/* A link is removed and made again, a file written in parts: the look comes when that is over. */
#define LOOK_DELAY (NSEC_PER_SEC / 10)

#define CHANGES (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR)

/* How many hosts are told in a turn of the loop: each wakes up. */
#define TOLD_AT_ONCE 32

struct zone_watch {
    struct units *units;
    int fd;
    struct loop_io *io;
    struct loop_timer *timer;
    struct loop_timer *teller;
    uint64_t news; /* how often hosts were to be told */
};

static void tell_next(void *arg)
{
    const struct wire_message message = {.type = WIRE_CLOCK};
    const struct zone_watch *watch = arg;
    struct tenancy *tenancy;
    unsigned told = 0;

    /* Hosts of another version would not understand it, and will not be there for long. */
    if (watch->units->rolling)
        return;
    LIST_FOREACH (tenancy, &watch->units->tenancies, list) {
        if (tenancy->zone_news == watch->news)
            continue;
        if (told == TOLD_AT_ONCE) {
            loop_timer_arm(watch->teller, 0);
            return;
        }
        tenancy->zone_news = watch->news;
        if (host_state(tenancy->host) != HOST_UP)
            continue;
        host_send(tenancy->host, &message);
        told++;
    }
}

void zone_watch_tell(struct zone_watch *watch)
{
    watch->news++;
    loop_timer_arm(watch->teller, 0);
}

static void look(void *arg)
{
    zone_watch_tell(arg);
}

/* All of /etc is watched, as the link itself cannot be. */
static void folder_has_changed(int fd, unsigned events _unused_, void *arg)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    struct zone_watch *watch = arg;
    ssize_t size = read(fd, buffer, sizeof(buffer));
    bool named = false;

    for (const char *p = buffer; size > 0 && p < buffer + size;) {
        const struct inotify_event *event = (const void *)p;

        named = named || (event->mask & IN_Q_OVERFLOW) ||
                (event->len > 0 && strcmp(event->name, NAME) == 0);
        p += sizeof(*event) + event->len;
    }
    if (named)
        loop_timer_arm(watch->timer, LOOK_DELAY);
}

/* With TZ in the environment the machine's zone is nobody's. */
static int watch_folder(struct zone_watch *watch)
{
    if (getenv("TZ"))
        return 0;
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0 || inotify_add_watch(watch->fd, FOLDER, CHANGES) < 0)
        return -errno;
    return loop_io_create(watch->units->loop, watch->fd, LOOP_READ, folder_has_changed, watch,
                          &watch->io);
}

int zone_watch_create(struct units *units, struct zone_watch **ret_watch)
{
    struct zone_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    *watch = (struct zone_watch){.units = units, .fd = -1};
    if (loop_timer_create(units->loop, look, watch, &watch->timer) < 0 ||
        loop_timer_create(units->loop, tell_next, watch, &watch->teller) < 0) {
        loop_timer_destroy(watch->timer);
        free(watch);
        return -ENOMEM;
    }
    r = watch_folder(watch);
    if (r < 0)
        log_info("another time zone of the machine will be noticed within a minute, and not at "
                 "once: cannot watch " FOLDER ": %s",
                 strerror(-r));
    *ret_watch = watch;
    return 0;
}

static void *close_it(void *arg)
{
    close((int)(intptr_t)arg);
    return NULL;
}

/* The kernel frees a watch after a grace period (SRCU), and close() waits for that: 6 to 15 ms. */
void zone_watch_end(struct zone_watch *watch)
{
    loop_io_destroy(TAKE_PTR(watch->io));
    if (watch->fd >= 0 &&
        thread_start(close_it, (void *)(intptr_t)watch->fd, THREAD_STACK_SIZE, NULL) == 0)
        watch->fd = -1;
}

void zone_watch_destroy(struct zone_watch *watch)
{
    if (!watch)
        return;
    loop_io_destroy(watch->io);
    loop_timer_destroy(watch->timer);
    loop_timer_destroy(watch->teller);
    if (watch->fd >= 0)
        close(watch->fd);
    free(watch);
}
