/* SPDX-License-Identifier: MIT */
/* Which host is started next: one a turn of the loop. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host_internal.h"

struct spawner {
    struct list queue;
    struct loop_timer *timer;
};

void spawner_add(struct spawner *spawner, struct host *host)
{
    list_append(&spawner->queue, &host->waiting);
    loop_timer_arm(spawner->timer, 0);
}

static void spawn_next(void *arg)
{
    struct spawner *spawner = arg;
    struct host_end end = {0};
    const char *what;
    struct host *host;
    int r;

    if (list_is_empty(&spawner->queue))
        return;
    host = list_entry(spawner->queue.next, struct host, waiting);
    list_remove(&host->waiting);
    if (!list_is_empty(&spawner->queue))
        loop_timer_arm(spawner->timer, 0);
    if (host->state == HOST_ENDING) {
        end.asked = true;
        string_copy(end.text, sizeof(end.text), "not started: no longer wanted");
        host_report_end(host, &end);
        return;
    }
    r = host_start_process(host, &what);
    if (r < 0) {
        snprintf(end.text, sizeof(end.text), "cannot start %s: %s%s", host->program, what,
                 strerror(-r));
        host_report_end(host, &end);
    }
}

int spawner_create(struct loop *loop, struct spawner **ret_spawner)
{
    struct spawner *spawner = calloc(1, sizeof(*spawner));

    if (!spawner)
        return -ENOMEM;
    list_init(&spawner->queue);
    if (loop_timer_create(loop, spawn_next, spawner, &spawner->timer) < 0) {
        free(spawner);
        return -ENOMEM;
    }
    *ret_spawner = spawner;
    return 0;
}

void spawner_destroy(struct spawner *spawner)
{
    if (!spawner)
        return;
    loop_timer_destroy(spawner->timer);
    free(spawner);
}
