/* SPDX-License-Identifier: MIT */
/*
 * Which host is started next: one a turn of the loop, and only so many at once. Of a thousand processes
 * that start together on a busy machine none says hello for a long time, and all look as if they hung.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host_internal.h"

#define SPAWNS_PER_PROCESSOR 4

struct spawner {
    struct list queue;
    struct list
        checks; /* of options only: any number may be asked for, and modules do not wait for them */
    struct loop_timer *timer;
    unsigned starting; /* from their spawn to their hello */
    unsigned most;
};

/* NULL: nobody waits. */
static struct host *find_next(struct spawner *spawner)
{
    struct list *list = list_is_empty(&spawner->queue) ? &spawner->checks : &spawner->queue;

    return list_is_empty(list) ? NULL : list_entry(list->next, struct host, waiting);
}

static void look(struct spawner *spawner)
{
    if (find_next(spawner) && spawner->starting < spawner->most)
        loop_timer_arm(spawner->timer, 0);
}

static void begin(struct spawner *spawner, struct host *host)
{
    host->starting = true;
    spawner->starting++;
}

void spawner_is_up(struct spawner *spawner, struct host *host)
{
    if (!host->starting)
        return;
    host->starting = false;
    spawner->starting--;
    look(spawner);
}

void spawner_add(struct spawner *spawner, struct host *host)
{
    list_append(host->check_only ? &spawner->checks : &spawner->queue, &host->waiting);
    look(spawner);
}

static void spawn_next(void *arg)
{
    struct spawner *spawner = arg;
    struct host_end end = {0};
    const char *what;
    struct host *host = find_next(spawner);
    int r;

    if (!host)
        return;
    list_remove(&host->waiting);
    if (host->state == HOST_ENDING) {
        look(spawner);
        end.asked = true;
        string_copy(end.text, sizeof(end.text), "not started: no longer wanted");
        host_report_end(host, &end);
        return;
    }
    begin(spawner, host);
    look(spawner);
    r = host_start_process(host, &what);
    if (r < 0) {
        end.not_started = true;
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
    list_init(&spawner->checks);
    spawner->most = SPAWNS_PER_PROCESSOR * (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
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
